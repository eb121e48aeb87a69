// SPDX-License-Identifier: Apache-2.0
#include "gateway/proxy/decide/offered_tools.hpp"

namespace aispm::gateway {
namespace {

// Servers may have tools of the same name. NUL is in no name.
std::string sighting_of(const ActionAsk& ask) {
  std::string name(ask.tool);
  if (!ask.tool_provider.empty()) name.insert(0, std::string(ask.tool_provider) + '\0');
  return name;
}

}  // namespace

OfferedTools OfferedTools::read(std::string_view request) {
  OfferedTools offered;
  auto tools = codec::read_offered_tools(request);
  if (tools)
    offered.tools_ = std::move(*tools);
  else
    offered.is_unreadable_ = true;
  return offered;
}

OfferedTools OfferedTools::of(codec::ToolDefinition tool) {
  OfferedTools offered;
  offered.tools_.push_back(std::move(tool));
  return offered;
}

codec::ToolDefinition OfferedTools::find(std::string_view name) const {
  const codec::ToolDefinition* found = nullptr;
  for (const codec::ToolDefinition& tool : tools_) {
    if (tool.name != name) continue;
    if (found != nullptr && (found->description_sha256 != tool.description_sha256 ||
                             found->schema_sha256 != tool.schema_sha256))
      return {};
    found = &tool;
  }
  return found == nullptr ? codec::ToolDefinition() : *found;
}

policy::ToolVerdict OfferedTools::judge(const policy::ToolGate& gate, std::string_view tenant,
                                        std::string_view agent_id, const ActionAsk& ask,
                                        policy::ToolSightings* sightings) const {
  using Seen = policy::ToolSightings::Seen;
  if (is_unreadable_)
    return {model::Outcome::kDeny, "tools.unreadable",
            "What the tools say of themselves cannot be read"};
  for (const codec::ToolDefinition& tool : tools_) {
    if (tool.name != ask.tool) continue;
    const policy::ToolSight sight{.description = tool.description_sha256,
                                  .schema = tool.schema_sha256};
    const policy::ToolVerdict said = gate.judge_sight(tool.name, ask.tool_provider, sight);
    if (!said.rule_id.empty()) return said;
    const policy::Tool* known = gate.registry().find(tool.name, ask.tool_provider);
    const bool is_pinned = known != nullptr && !known->pins.empty();
    if (is_pinned || sightings == nullptr || gate.first_use() != policy::FirstUse::kTrust) continue;
    const Seen seen = sightings->see(tenant, agent_id, sighting_of(ask), sight);
    if (seen == Seen::kChanged)
      return {
          model::Outcome::kDeny, "tools.changed",
          "The tool is not what it was when this agent was first offered it; it must be reviewed"};
    if (seen == Seen::kTooMany)
      return {model::Outcome::kDeny, "tools.too_many",
              "This agent was offered too many tools to remember"};
  }
  return {};
}

}  // namespace aispm::gateway
