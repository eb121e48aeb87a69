// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <array>
#include <atomic>
#include <cstdint>
#include <memory>
#include <mutex>
#include <string>
#include <string_view>
#include <unordered_map>
#include <vector>

#include "sdk/core/common/time.hpp"
#include "sdk/core/common/yaml.hpp"
#include "sdk/core/policy/tool_egress.hpp"

// How often tools are called, and in which order: `limits` and `sequences` of tools.yaml, and what
// is counted for them.
namespace aispm::policy {

// Calls that make an attack together, each harmless by itself.
struct ToolSequence {
  std::string id;
  std::vector<Glob> tools;  // a lone `*`: any calls between, also none
  model::Outcome outcome = model::Outcome::kDeny;
  std::string reason;
};

struct UsageLimits {
  static constexpr std::int64_t kMaxCalls = 127;
  static constexpr std::size_t kMaxSequences = 64;
  static constexpr std::size_t kMaxSteps = 16;

  std::uint32_t tool_minute = 20;    // calls of one agent to one tool in 60 s; more are refused
  std::uint32_t actor_hour = 20;     // more calls of one agent in an hour are a finding
  std::uint32_t session_minute = 5;  // more calls of one session in 60 s are a finding
  double block_ratio = 0.30;      // more refused ones among an agent's last calls are a finding ...
  std::uint32_t block_calls = 5;  // ... from so many calls on
  std::vector<ToolSequence> sequences;

  static UsageLimits read(const YamlMap& root);
};

// Whose call; the tenant and the agent as the registry names them.
struct UsageCall {
  std::string_view tenant;
  std::string_view agent;
  std::string_view session;  // empty: the agent's calls are one session
  std::string_view tool;
};

// What is new with this call. A finding is told when a limit is first passed and again after it was
// kept.
struct UsageFindings {
  bool actor_hour = false;
  bool session_minute = false;
  bool block_ratio = false;
  bool any() const { return actor_hour || session_minute || block_ratio; }
};

struct UsageVerdict {
  ToolVerdict verdict;  // kRateLimited, or a sequence's outcome
  UsageFindings findings;
};

// Counts over all bundles of a process, so a new bundle forgets nothing. Memory is bounded: at most
// kEntries of each kind. Any thread.
class ToolUsage {
 public:
  static constexpr std::size_t kShards = 16;
  static constexpr std::size_t kEntries = 8192;
  static constexpr std::size_t kWindow = 50;  // calls of a session that sequences look at
  static constexpr std::size_t kMaxName = 256;

  ToolUsage();
  ~ToolUsage();
  ToolUsage(const ToolUsage&) = delete;
  ToolUsage& operator=(const ToolUsage&) = delete;

  // Counts one call. `is_denied`: others have denied it already. Times of one process should not go
  // back; one that does counts as the latest seen.
  UsageVerdict count(const UsageLimits& limits, const UsageCall& call, bool is_denied,
                     BootTime now);

  // Agents or sessions whose counts were given up for others', since the start.
  std::uint64_t forgotten() const { return forgotten_.load(std::memory_order_relaxed); }
  // Calls refused because kEntries tools were counted within one minute already.
  std::uint64_t refused_full() const { return refused_full_.load(std::memory_order_relaxed); }

 private:
  struct Tables;
  bool take_tool(const UsageLimits& limits, const UsageCall& call, BootTime now);
  void count_actor(const UsageLimits& limits, const UsageCall& call, bool is_denied, BootTime now,
                   UsageFindings& findings);
  ToolVerdict count_session(const UsageLimits& limits, const UsageCall& call, bool is_denied,
                            BootTime now, UsageFindings& findings);

  std::unique_ptr<Tables> tables_;
  std::atomic<std::uint64_t> forgotten_{0};
  std::atomic<std::uint64_t> refused_full_{0};
};

}  // namespace aispm::policy
