// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <cstdint>
#include <list>
#include <mutex>
#include <string>
#include <string_view>
#include <unordered_map>

#include "sdk/core/policy/tool_registry.hpp"

namespace aispm::policy {

// What tools without a pin said of themselves when an agent was first offered them: another word
// later is a change. Lasts as long as the process. Bounded: the agent that was seen least recently
// goes first. Any thread.
class ToolSightings {
 public:
  static constexpr std::size_t kAgents = 1024;
  static constexpr std::size_t kTools = 1024;  // of one agent

  enum class Seen : std::uint8_t { kFirst, kSame, kChanged, kTooMany };
  // Remembers the first sight; a change is remembered by nobody, so it stays one.
  Seen see(std::string_view tenant, std::string_view agent, std::string_view tool,
           const ToolSight& sight);
  // Agents forgotten for others, since the start.
  std::uint64_t forgotten() const;

 private:
  struct Agent {
    std::string key;
    std::unordered_map<std::string, std::string> tools;  // name: both hashes
  };
  Agent& agent_of(const std::string& key);

  mutable std::mutex mutex_;
  std::list<Agent> agents_;  // most recently seen first
  std::unordered_map<std::string, std::list<Agent>::iterator> index_;
  std::uint64_t forgotten_ = 0;
};

}  // namespace aispm::policy
