// SPDX-License-Identifier: Apache-2.0
#include "sdk/cli/describe.hpp"
#include "sdk/cli/registered.hpp"
#include "sdk/core/common/file.hpp"

namespace aispm::cli {
namespace {

using Stub = v1::Operator::Stub;

constexpr std::size_t kMaxKeyBytes = 4096;
constexpr std::int64_t kSecond = 1'000'000'000;

std::string joined(const google::protobuf::RepeatedPtrField<std::string>& list) {
  std::string text;
  for (const std::string& one : list) text += (text.empty() ? "" : ", ") + one;
  return text.empty() ? "-" : text;
}

Result<> tell(Client& client, const v1::RegisteredAgent& agent, const Output& output) {
  if (output.json) return print_json(agent, output);
  const std::uint64_t version = agent.history_size() == 0 ? 0 : agent.history(0).version();
  AISPM_TRY(const std::string force, registry_in_force(client, version));
  output.stream << safe(agent.agent_id()) << ": " << agent.state() << "  " << safe(force) << "\n";
  return {};
}

void set_span(std::uint32_t seconds, WallTime now, google::protobuf::Timestamp* to) {
  to->set_seconds(now.nanoseconds / kSecond + seconds);
}

}  // namespace

Result<> list_registered_agents(Client& client, const AgentWords& words, const Output& output) {
  v1::ListRegisteredAgentsRequest request;
  request.set_query(words.query);
  request.set_state(words.state);
  request.set_undeclared(words.is_undeclared);
  AISPM_TRY(
      const v1::RegisteredAgentList list,
      client.list(&Stub::ListRegisteredAgents, request, &v1::RegisteredAgentList::agents_size, 0));
  if (output.json) return print_json(list, output);
  Table table({{"AGENT"},
               {"STATE"},
               {"TRUST", Table::Align::kRight},
               {"LEVEL"},
               {"ROLES"},
               {"OWNER"},
               {"CALLS", Table::Align::kRight},
               {"DENIED", Table::Align::kRight},
               {"LAST SEEN"},
               {"EXPIRES"}});
  for (const v1::RegisteredAgent& agent : list.agents())
    table.add({agent.agent_id(),
               {agent.declared() ? agent.state() : "undeclared",
                agent.declared() ? style_of_state(agent.state()) : Style::kWarn},
               agent.has_rights() ? std::to_string(agent.trust_score()) : "-",
               agent.has_rights() ? agent.trust_level() : "-",
               joined(agent.rights().roles()),
               agent.owner().empty() ? "-" : agent.owner(),
               std::to_string(agent.llm_calls()),
               std::to_string(agent.denied()),
               age_text(agent.last_seen(), output.now),
               agent.has_expires() ? time_text(agent.expires()) : "-"});
  output.stream << table.render(output.screen, "No agents: none was seen, and none is registered.");
  return {};
}

Result<> show_registered_agent(Client& client, const AgentWords& words, const Output& output) {
  v1::GetRegisteredAgentRequest request;
  request.set_agent_id(words.agent);
  AISPM_TRY(const v1::RegisteredAgent agent, client.call(&Stub::GetRegisteredAgent, request));
  if (output.json) return print_json(agent, output);
  const v1::AgentRights& rights = agent.rights();
  output.stream << safe(agent.agent_id()) << "  "
                << paint(agent.state(), style_of_state(agent.state()), output.screen.colours)
                << (agent.reason().empty() ? "" : "  " + safe(agent.reason())) << "\n"
                << "seen " << age_text(agent.last_seen(), output.now) << " on "
                << safe(joined(agent.hosts())) << "; " << agent.llm_calls() << " model calls, "
                << agent.denied() << " denied\n";
  if (agent.has_rights()) {
    output.stream << "roles " << safe(joined(rights.roles())) << "; scopes "
                  << safe(joined(rights.scopes())) << "; environment "
                  << (rights.environment().empty() ? "-" : safe(rights.environment())) << "\n"
                  << "trust " << agent.trust_score() << " of 100 (" << agent.trust_level() << "):";
    for (const v1::TrustPart& part : agent.trust_parts())
      output.stream << "  " << safe(part.name()) << " " << (part.points() > 0 ? "+" : "")
                    << part.points();
    output.stream << "\n";
  } else {
    output.stream << "The registry grants it nothing; what other files grant stands.\n";
  }
  output.stream << "\n" << render_history(agent.history(), output);
  return {};
}

Result<> register_agent(Client& client, const AgentWords& words, const Output& output) {
  v1::RegisterAgentRequest request;
  request.set_agent_id(words.agent);
  request.set_owner(words.owner);
  request.set_reason(words.reason);
  v1::AgentRights& rights = *request.mutable_rights();
  rights.set_type(words.type);
  rights.set_environment(words.environment);
  rights.set_trust(words.trust);
  rights.set_only_delegated(words.only_delegated);
  rights.mutable_roles()->Add(words.roles.begin(), words.roles.end());
  rights.mutable_scopes()->Add(words.scopes.begin(), words.scopes.end());
  if (words.attested_seconds > 0)
    set_span(words.attested_seconds, output.now, rights.mutable_attested_until());
  if (words.valid_seconds > 0) set_span(words.valid_seconds, output.now, request.mutable_expires());
  if (!words.key_file.empty()) {
    AISPM_TRY(const std::string key, read_file(words.key_file, kMaxKeyBytes));
    rights.set_key(key);
  }
  AISPM_TRY(const v1::RegisteredAgent after, client.call(&Stub::RegisterAgent, request));
  return tell(client, after, output);
}

Result<> decide_registered_agent(Client& client, const AgentWords& words, const std::string& state,
                                 const Output& output) {
  v1::ReviewAgentRequest request;
  request.set_agent_id(words.agent);
  request.set_state(state);
  request.set_reason(words.reason);
  AISPM_TRY(const v1::RegisteredAgent after, client.call(&Stub::ReviewAgent, request));
  return tell(client, after, output);
}

}  // namespace aispm::cli
