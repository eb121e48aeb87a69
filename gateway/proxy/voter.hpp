// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <atomic>
#include <chrono>
#include <memory>
#include <string>
#include <string_view>

#include "gateway/proxy/pipeline/guard.hpp"
#include "gateway/proxy/providers/provider.hpp"

namespace aispm::gateway {

// One of the guard models that all workers ask. Any thread.
class Voter {
 public:
  using Clock = std::chrono::steady_clock;
  // After so many questions in a row without an answer it is left alone for a while, so that one
  // that is not there does not make every request wait for its deadline. Then one question tries.
  static constexpr std::uint32_t kRestAfter = 3;
  static constexpr std::chrono::seconds kRest{5};

  static Result<std::unique_ptr<Voter>> open(const VoterConfig& config);

  const VoterConfig& config() const { return config_; }
  Provider& provider() const { return *provider_; }

  // What its findings name it by: its own name, else its form's.
  std::string_view name() const {
    return config_.name.empty() ? name_of(config_.form) : std::string_view(config_.name);
  }

  // A place among the calls at once, to be given back by leave(); why there is none (counted)
  // while all are taken (kExhausted) or it rests (kUnavailable).
  Result<> enter(Clock::time_point now = Clock::now());
  // `spoke`: an answer came, of whatever form.
  void leave(bool spoke, Clock::time_point now = Clock::now());

  // What became of the calls, for health.
  struct Counts {
    std::atomic<std::uint64_t> asked{0};
    std::atomic<std::uint64_t> flagged{0};
    std::atomic<std::uint64_t> late{0};
    std::atomic<std::uint64_t> failed{0};   // no answer, or not one of its form
    std::atomic<std::uint64_t> dropped{0};  // too many at once
    std::atomic<std::uint64_t> rested{0};   // not asked while it was left alone
  };
  Counts& counts() { return counts_; }
  const Counts& counts() const { return counts_; }

 private:
  explicit Voter(const VoterConfig& config) : config_(config) {}
  VoterConfig config_;
  std::shared_ptr<Provider> provider_;
  std::atomic<std::size_t> open_{0};
  std::atomic<std::uint32_t> silent_{0};  // questions in a row without an answer
  std::atomic<Clock::rep> rests_until_{0};
  Counts counts_;
};

}  // namespace aispm::gateway
