// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <atomic>
#include <memory>
#include <mutex>
#include <string>
#include <string_view>
#include <unordered_map>

#include "gateway/net/io.hpp"
#include "gateway/proxy/limits/config_limits.hpp"
#include "gateway/proxy/providers/status_lookup.hpp"

namespace aispm::gateway {

class Worker;

struct ModelAsk {
  std::string_view model;
  std::string_view provider;  // its name in the configuration
  std::string_view agent;
  std::string_view tenant;
  std::string_view environment;  // "": not registered
};

// Whether models are approved: by the configuration's list, by a registry that is asked, or by both
// where both are there. What is not known is not approved. Any thread.
class ModelGate {
 public:
  static constexpr std::size_t kMaxModelBytes = 256;

  // kInvalid: the registry's URL is none.
  static Result<std::unique_ptr<ModelGate>> open(const ModelGateConfig& config);

  // kDenied says why not; also when there is no list: nothing says no then.
  Result<> check_list(const ModelAsk& ask) const;
  bool asks_environments() const { return asks_environments_; }

  // Null: there is none.
  StatusLookup* registry() const { return registry_.get(); }
  bool approves(const std::string& status) const;

  // What the list or the registry last said of a model that passed: "approved", "review",
  // "retired"; any other word of a registry that counts as approved is "approved". "": neither
  // knows it. Bounded: what is forgotten is not known.
  std::string status_of(const std::string& model) const;
  void note_status(const std::string& model, const std::string& status);
  static constexpr std::size_t kMaxStatuses = 4096;

  void note_failure() { failed_.fetch_add(1, std::memory_order_relaxed); }
  std::uint64_t failed() const { return failed_.load(std::memory_order_relaxed); }

 private:
  explicit ModelGate(const ModelGateConfig& config) : config_(config) {}
  const ModelGateConfig config_;
  bool asks_environments_ = false;
  std::unique_ptr<StatusLookup> registry_;
  mutable std::mutex mutex_;  // guards the next
  std::unordered_map<std::string, std::string> statuses_;
  std::atomic<std::uint64_t> failed_{0};
};

// Asks the registry, unless it said so a moment ago. kDenied says why the model is not approved,
// also when the registry does not answer.
net::Task<> ask_registry(Worker& worker, ModelGate& gate, std::string model);

}  // namespace aispm::gateway
