// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <chrono>
#include <memory>
#include <mutex>
#include <optional>
#include <string>
#include <string_view>
#include <unordered_map>

#include "gateway/net/io.hpp"
#include "gateway/proxy/providers/provider.hpp"

namespace aispm::gateway {

class Worker;

struct StatusLookupConfig {
  std::string name;  // for messages: "tickets"
  std::string url;   // with `mark`, behind the host
  std::string mark;  // "{ticket}"
  std::string ca_file;
  Secret key;  // sent as a bearer; "" = none
  bool allow_private = false;
  std::string status_field;  // path into the JSON answer, parts split by dots
  std::chrono::milliseconds cache{0};
  std::chrono::milliseconds deadline{0};
  bool keeps_unknown = false;  // also that something is not known is remembered
};

// A system of others that is asked by GET what the status of something is: a ticket, a model. Any
// thread.
class StatusLookup {
 public:
  using Time = std::chrono::steady_clock::time_point;
  static constexpr std::size_t kMaxKept = 4096;

  // kInvalid: the URL is none, or has no mark behind its host.
  static Result<std::unique_ptr<StatusLookup>> open(StatusLookupConfig config);

  const StatusLookupConfig& config() const { return config_; }
  const Provider& provider() const { return *provider_; }
  // `key` as one segment of the path, percent-encoded.
  std::string path_of(std::string_view key) const;
  // What was heard less than `cache` ago; "": it is not known there.
  std::optional<std::string> known(std::string_view key, Time now) const;
  void remember(std::string_view key, const std::string& status, Time now);

 private:
  explicit StatusLookup(StatusLookupConfig config) : config_(std::move(config)) {}
  struct Kept {
    std::string status;
    Time until;
  };
  const StatusLookupConfig config_;
  std::string path_;  // with the mark
  std::shared_ptr<Provider> provider_;
  mutable std::mutex mutex_;
  std::unordered_map<std::string, Kept> kept_;
};

// The status at `field` of a JSON answer. kInvalid: it is not there.
Result<std::string> read_status(std::string_view answer, std::string_view field);

// What the system says of it, unless it said so a moment ago; "" for 404. Errors say in words why
// there is no answer. On the worker's thread; `worker` and `lookup` outlive it.
net::Task<std::string> ask_status(Worker& worker, StatusLookup& lookup, std::string key);

}  // namespace aispm::gateway
