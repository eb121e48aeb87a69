// SPDX-License-Identifier: Apache-2.0
#include "sensor/correlate/agent_servers.hpp"

namespace aispm::sensor {

AgentTalk& AgentServers::talk(const Party& party, std::string_view host, BootTime now,
                              const Context& context) {
  std::string name = host_text(host);
  Key key{party.key.process, name};
  // Clients of one server count from 1 each.
  if (party.is_server && party.socket) key.second += "|" + party.socket->destination.host_text();
  if (const auto* found = talks_.find(key)) return **found;
  auto made = std::make_unique<AgentTalk>("http", std::move(name), context.budget);
  AgentTalk& talk = *made;
  if (const auto dropped = talks_.put(key, std::move(made))) {
    context.counters.lose("rpc.talks_evicted");
    dropped->second->close(now, context);
  }
  return talk;
}

void AgentServers::end_process(const ProcessId& process, BootTime time, const Context& context) {
  talks_.erase_if([&](const Key& key, const std::unique_ptr<AgentTalk>& talk) {
    if (key.first != process) return false;
    talk->close(time, context);
    return true;
  });
}

void AgentServers::close_all(BootTime time, const Context& context) {
  talks_.erase_if([&](const Key&, const std::unique_ptr<AgentTalk>& talk) {
    talk->close(time, context);
    return true;
  });
}

}  // namespace aispm::sensor
