// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <compare>
#include <cstdint>
#include <map>
#include <set>
#include <string>

#include "aispm/v1/event.pb.h"
#include "gateway/collector/inventory/tally.hpp"
#include "gateway/collector/store/database.hpp"
#include "sdk/core/common/result.hpp"

namespace aispm::collector::inventory {

// What events tell of tools, for the registry: where, when and how often each was seen, and what
// it said of itself. Never changes what people decided. Lives on the writer's thread, inside its
// transaction.
class Sightings {
 public:
  static constexpr std::int64_t kMaxTools = 50'000;    // beyond, undecided ones make no row
  static constexpr std::int64_t kMaxDefinitions = 64;  // of one tool; the oldest without a pin go

  explicit Sightings(store::Database& database) : database_(database) {}

  // Summed; written by flush().
  void see(const Concern& concern, const aispm::v1::Event& event);
  Result<> flush();
  void forget();
  // Tools refused since the last call because there are too many.
  std::uint64_t take_refused();

 private:
  struct Name {
    std::string tenant, provider, tool;
    auto operator<=>(const Name&) const = default;
  };
  struct Definition {
    std::string description, schema;
    auto operator<=>(const Definition&) const = default;
  };
  struct Seen {
    std::int64_t first = INT64_MAX, last = INT64_MIN, host = 0;
    std::set<std::string> findings;
    void at(const Concern& concern);
  };
  struct Use {
    Seen seen;
    std::uint64_t calls = 0, decisions = 0, denied = 0;
    std::set<std::int64_t> hosts;
    std::map<Definition, Seen> definitions;
  };
  Use& use_of(const Concern& concern, const aispm::v1::Event& event, const std::string& provider,
              const std::string& tool);
  static void define(Use& use, const Concern& concern, const std::string& description,
                     const std::string& schema, std::set<std::string> findings);
  void see_action(const Concern& concern, const aispm::v1::Event& event);
  Result<std::int64_t> row_of(const Name& name, const Use& use);
  Result<> write(const Name& name, const Use& use);
  Result<> write_definition(std::int64_t tool, const Definition& definition, const Seen& seen);

  store::Database& database_;
  std::map<Name, Use> tools_;
  std::uint64_t refused_ = 0;
};

}  // namespace aispm::collector::inventory
