// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <array>
#include <cstddef>
#include <cstdint>
#include <map>
#include <optional>
#include <string>
#include <vector>

#include "sdk/core/model/event.hpp"
#include "sensor/correlate/lru_map.hpp"

namespace aispm::sensor {

// Remembers which tools each server offered last, over its restarts, and tells what is different
// now: a tool whose description changes under a name that was approved is how poisoned tools come.
// Not thread-safe.
class ToolHistory {
 public:
  static constexpr std::size_t kMaxServers = 1024;
  // Of all servers together; beyond, the servers seen longest ago are forgotten.
  static constexpr std::size_t kMaxTools = 65536;

  struct Change {
    std::vector<std::string> added;
    std::vector<std::string> removed;
    std::vector<std::string> changed;
  };
  // Takes the server's list as it is now. nullopt: the same as last time. At first sight an empty
  // change.
  std::optional<Change> compare(const std::string& server,
                                const std::vector<model::McpTool>& tools);

  std::size_t tools() const { return tools_; }

 private:
  using Print = std::array<char, 16>;  // of both hashes of a tool
  using Prints = std::map<std::string, Print>;

  static Print print_of(const model::McpTool& tool);

  LruMap<std::string, Prints> servers_{kMaxServers};
  std::size_t tools_ = 0;
};

}  // namespace aispm::sensor
