// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <chrono>
#include <cstddef>
#include <cstdint>
#include <optional>
#include <string>
#include <vector>

// What gateway.yaml says about the way of a request: `routes:` and `traffic:`.
namespace aispm::gateway {

// A provider that a route may send to.
struct CandidateConfig {
  static constexpr std::uint32_t kMaxWeight = 1'000'000;
  std::string provider;      // its name
  std::string model;         // sent in place of the one that was asked for; "" = as asked
  std::string arm;           // in records and figures
  std::uint32_t weight = 0;  // share of the first attempts; 0: only after others failed
};

// A candidate that is asked beside the one that answers.
struct ShadowConfig {
  CandidateConfig candidate;
  unsigned percent = 100;  // of the route's requests
};

struct RouteConfig {
  static constexpr std::size_t kMaxCandidates = 16;
  static constexpr std::size_t kMaxAttempts = 32;
  std::string name;
  std::vector<std::string> models;          // globs of what clients ask for
  std::vector<CandidateConfig> candidates;  // in this order, where no weights say otherwise
  std::optional<ShadowConfig> shadow;
  std::vector<int> retry_on{429, 500, 502, 503, 504, 529};  // statuses
  std::size_t attempts = 0;                                 // in all
  std::chrono::milliseconds first_byte{0};                  // of one attempt
  std::chrono::milliseconds deadline{0};                    // until a reply has begun
  std::chrono::milliseconds backoff{250};  // before every candidate is tried once more, doubled

  bool is_split() const {
    for (const CandidateConfig& candidate : candidates)
      if (candidate.weight > 0) return true;
    return false;
  }
};

// When a provider is left alone for a while.
struct BreakerConfig {
  std::uint32_t failures = 5;  // one after another
  std::uint32_t percent = 50;  // of the calls of the window, from `calls` on
  std::uint32_t calls = 20;    // fewer say nothing
  std::chrono::milliseconds window{30'000};
  std::chrono::milliseconds cooldown{15'000};
};

struct ShadowLimits {
  std::size_t concurrency = 16;                 // over all workers
  std::size_t bytes = 32U << 20;                // of their requests together
  std::chrono::milliseconds deadline{120'000};  // of one, to the end of its reply
};

// Answers given again without asking a provider.
struct CacheConfig {
  std::vector<std::string> models;  // globs; empty: nothing is kept
  bool all = false;                 // also of requests that do not say `temperature: 0`
  bool whole_tenant = false;        // an agent may get what another of its tenant got
  std::size_t bytes = 64U << 20;
  std::size_t entry_bytes = 1U << 20;
  std::chrono::milliseconds ttl{600'000};
};

struct TrafficConfig {
  static constexpr std::size_t kMaxRoutes = 64;
  std::vector<RouteConfig> routes;
  BreakerConfig breaker;
  ShadowLimits shadow;
  CacheConfig cache;

  bool is_configured() const { return !routes.empty() || !cache.models.empty(); }
};

}  // namespace aispm::gateway
