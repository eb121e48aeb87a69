// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <chrono>
#include <cstddef>
#include <cstdint>
#include <deque>
#include <list>
#include <mutex>
#include <string>
#include <string_view>
#include <unordered_map>
#include <vector>

#include "gateway/proxy/decide/identity.hpp"
#include "sdk/core/model/event.hpp"
#include "sdk/core/policy/risk.hpp"

namespace aispm::gateway {

// How risky an exchange is, and why.
struct RiskFacts {
  double risk = 0;  // 0..1
  policy::RiskParts parts;
  policy::RiskSignals signals;
  std::vector<std::string> names;  // of signals, and "recon", "tool_injection" beside them
  policy::GuardVerdict guard = policy::GuardVerdict::kAllow;
  double guard_score = 0;
  bool burst = false;      // signals of this session within two minutes
  bool sustained = false;  // and within an hour
  bool has(std::string_view name) const;
};

// What detections say: signals and the guard model's word. Weak ones (low severity) say nothing.
RiskFacts read_signals(const std::vector<model::Detection>& detections);

// What a session did before: when signals came, and what its first prompts were about.
struct SessionPast {
  std::size_t in_two_minutes = 0;
  std::size_t in_an_hour = 0;
  std::vector<std::string> baseline;
};

// Sums up: fills `parts`, `burst`, `sustained` and `risk`.
void fuse_risk(const policy::RiskModel& model, const AgentFacts& agent, std::string_view prompt,
               std::size_t prompt_bytes, const SessionPast& past, RiskFacts& facts);

// What sessions did, in memory: bounded, the least recently used goes first. Any thread.
class SessionRisks {
 public:
  using Time = std::chrono::steady_clock::time_point;
  static constexpr std::size_t kMaxSessions = 4096;
  static constexpr std::size_t kMaxBaseline = 5;
  static constexpr std::size_t kMaxPromptBytes = 2048;  // kept of one
  static constexpr std::size_t kMaxSignals = 64;        // times kept of one session

  // The past of this session; then notes that a prompt came, and whether it bore signals. Prompts
  // with signals are no measure of what a session is about.
  SessionPast note(const std::string& session, std::string_view prompt, bool has_signals, Time now);
  // Its past, without a note of anything.
  SessionPast of(const std::string& session, Time now) const;
  std::size_t size() const;
  // Sessions whose past was given up for others', since the start.
  std::uint64_t forgotten() const;

 private:
  struct Session {
    std::string key;
    std::deque<Time> signals;
    std::vector<std::string> baseline;
    SessionPast past(Time now) const;
  };
  mutable std::mutex mutex_;
  std::list<Session> sessions_;  // most recently used first
  std::unordered_map<std::string_view, std::list<Session>::iterator> index_;
  std::uint64_t forgotten_ = 0;
};

}  // namespace aispm::gateway
