// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <string>
#include <string_view>
#include <vector>

#include "gateway/proxy/decide/action_judge.hpp"
#include "sdk/core/codec/tool_definitions.hpp"
#include "sdk/core/policy/tool_sightings.hpp"

namespace aispm::gateway {

// What one request offered to the model.
class OfferedTools {
 public:
  // Any JSON; what cannot be read as a request for a model offers tools that nobody has seen.
  static OfferedTools read(std::string_view request);
  // One tool as its server tells of it.
  static OfferedTools of(codec::ToolDefinition tool);

  // How the tool of that name was offered; empty: not at all, or in more ways than one.
  codec::ToolDefinition find(std::string_view name) const;

  // What pins and the first sight of these tools say; an empty rule: no objection. Judges every
  // definition of that name. `sightings` null: first sights are not known.
  policy::ToolVerdict judge(const policy::ToolGate& gate, std::string_view tenant,
                            std::string_view agent_id, const ActionAsk& ask,
                            policy::ToolSightings* sightings) const;

 private:
  std::vector<codec::ToolDefinition> tools_;
  bool is_unreadable_ = false;
};

}  // namespace aispm::gateway
