// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <optional>
#include <string>
#include <vector>

#include "sandbox/supervise/gateway_link.hpp"
#include "sandbox/supervise/proxy_header.hpp"
#include "sdk/core/common/host_rule.hpp"
#include "sdk/core/policy/sandbox_rules.hpp"

namespace aispm::sandbox {

// What the gateway says of itself and of us.
struct Greeting {
  std::string agent_id;
  std::vector<std::string> gateway_hosts;     // names of the models' hosts that it speaks for
  std::vector<std::string> dialects;          // "openai", ...: what clients may speak to it
  std::vector<HostRule> permitted;            // further hosts, by its operator
  std::string policy;                         // id of the policy that `rules` are of
  std::optional<policy::SandboxRules> rules;  // nothing: that policy has none, or there is none
  // For whom this run is to run, the first of all first, and what their policies say.
  struct Parent {
    ParentRun run;
    std::string agent_id;
    std::string policy;
    std::optional<policy::SandboxRules> rules;
  };
  std::vector<Parent> parents;
};

// Asks the gateway who we are, whether its operator permits the hosts of the profile, and what the
// agent's policy says about sandboxes. Without it nothing runs.
Result<Greeting> greet_gateway(const GatewayLink& link, const std::string& socket);

}  // namespace aispm::sandbox
