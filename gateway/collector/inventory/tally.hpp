// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <cstdint>
#include <map>
#include <optional>
#include <set>
#include <string>

#include "aispm/v1/event.pb.h"
#include "gateway/collector/inventory/refs.hpp"
#include "gateway/collector/store/database.hpp"

namespace aispm::collector::inventory {

// What a decision did to the caller: a decision in monitor mode did nothing.
enum class Verdict : std::uint8_t { kPassed = 0, kDenied = 1, kRedacted = 2, kSandboxDenial = 3 };
Verdict verdict_of(const aispm::v1::Event& event);

// Something that makes whoever did it worth a look: a severe detection, an applied denial, a call
// past the gateway, sensitive data or kernel settings, tampering.
bool is_risky(const aispm::v1::Event& event);
// The sensor saw a call that the gateway carried and reported itself: it is stored and not counted
// again.
bool is_reported_by_gateway(const aispm::v1::Event& event);

// Whom a stored event concerns.
struct Concern {
  std::int64_t event = 0;
  std::int64_t host = 0;
  std::optional<std::int64_t> agent;
  std::optional<std::int64_t> session;
  WallTime time;
};

// Sums of one transaction's events, so that each inventory row is written once a transaction and
// not once an event. Lives on the writer's thread.
class Tally {
 public:
  Tally(store::Database& database, Refs& refs) : database_(database), refs_(refs) {}
  Result<> add(const Concern& concern, const aispm::v1::Event& event);
  // Writes the sums and starts anew.
  Result<> flush(WallTime now);
  void forget();

 private:
  struct Seen {
    std::int64_t first = INT64_MAX;
    std::int64_t last = INT64_MIN;
    void at(std::int64_t time);
  };
  struct Use {
    Seen seen;
    std::uint64_t calls = 0, detections = 0, denied = 0, redacted = 0, sandbox_denials = 0,
                  input = 0, output = 0;
    std::int64_t risky = 0, judged = 0;  // when last
    void weigh(std::int64_t time, const aispm::v1::Event& event);
  };
  Result<> add_call(const Concern& concern, const aispm::v1::Event& event);
  Result<> add_ai_use(const Concern& concern, const aispm::v1::AiUse& use);
  Result<> add_findings(const Concern& concern, const aispm::v1::Event& event);
  Result<> add_endpoint(std::int64_t provider, const std::string& host);
  Result<> flush_names();

  store::Database& database_;
  Refs& refs_;
  std::map<std::int64_t, std::uint64_t> hosts_;
  std::map<std::int64_t, Use> agents_;
  std::map<std::int64_t, Use> sessions_;
  std::map<std::int64_t, Use> providers_;
  std::map<std::int64_t, Use> models_;
  std::map<std::pair<std::int64_t, int>, std::uint64_t> minutes_;
  std::set<std::pair<std::int64_t, std::string>> agent_models_;
  std::set<std::pair<std::int64_t, std::string>> endpoints_;
};

}  // namespace aispm::collector::inventory
