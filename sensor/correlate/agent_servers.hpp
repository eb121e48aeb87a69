// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <memory>
#include <string>
#include <string_view>
#include <utility>

#include "sensor/correlate/agent_talk.hpp"
#include "sensor/correlate/lru_map.hpp"

namespace aispm::sensor {

// What clients and HTTP servers of MCP and A2A said to each other, across their connections: the
// answer to a POST may come on another connection's event stream, and the server's name came with
// the first exchange of all. Not thread-safe.
class AgentServers {
 public:
  static constexpr std::size_t kMaxTalks = 1024;

  // The talk of that client, or of that server with a peer, with `host`.
  AgentTalk& talk(const Party& party, std::string_view host, BootTime now, const Context& context);
  void end_process(const ProcessId& process, BootTime time, const Context& context);
  void close_all(BootTime time, const Context& context);
  std::size_t size() const { return talks_.size(); }

 private:
  using Key = std::pair<ProcessId, std::string>;

  LruMap<Key, std::unique_ptr<AgentTalk>> talks_{kMaxTalks};
};

}  // namespace aispm::sensor
