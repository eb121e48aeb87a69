// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <atomic>
#include <memory>
#include <string>

#include "gateway/proxy/pipeline/guard.hpp"
#include "gateway/proxy/providers/provider.hpp"

namespace aispm::gateway {

// The guard model that all workers ask. Any thread.
class Voter {
 public:
  static Result<std::unique_ptr<Voter>> open(const VoterConfig& config);

  const VoterConfig& config() const { return config_; }
  Provider& provider() const { return *provider_; }

  // A place among the calls at once; false when all are taken (counted).
  bool enter();
  void leave() { open_.fetch_sub(1, std::memory_order_relaxed); }

  // What became of the calls, for health.
  struct Counts {
    std::atomic<std::uint64_t> asked{0};
    std::atomic<std::uint64_t> flagged{0};
    std::atomic<std::uint64_t> late{0};
    std::atomic<std::uint64_t> failed{0};   // no answer, or not one of its form
    std::atomic<std::uint64_t> dropped{0};  // too many at once
  };
  Counts& counts() { return counts_; }
  const Counts& counts() const { return counts_; }

 private:
  explicit Voter(const VoterConfig& config) : config_(config) {}
  VoterConfig config_;
  std::shared_ptr<Provider> provider_;
  std::atomic<std::size_t> open_{0};
  Counts counts_;
};

}  // namespace aispm::gateway
