# SPDX-License-Identifier: Apache-2.0
# METADATA
# title: May this agent act at all?
# description: |
#   input.agent     {registered: bool, trust: untrusted|basic|verified|privileged|system, environment: string,
#                    delegation_depth: n, max_delegation_depth: n}
#   input.frozen    scopes that are frozen for this request: "tenant", "user", "session", "model", "agent", "all"
package aispm.agent

import rego.v1

default decision := {"outcome": "deny", "rule": "agent.default", "reason": "What is needed to judge this agent is missing"}

rank := {"untrusted": 0, "basic": 1, "verified": 2, "privileged": 3, "system": 4}

decision := {"outcome": "deny", "rule": "agent.frozen", "reason": sprintf("Frozen: %s", [concat(", ", input.frozen)])} if {
	count(input.frozen) > 0
} else := {"outcome": "deny", "rule": "agent.unregistered", "reason": "The registry does not know this agent"} if {
	not input.agent.registered
} else := {"outcome": "deny", "rule": "agent.delegation", "reason": "Rights were passed on too often"} if {
	input.agent.delegation_depth > input.agent.max_delegation_depth
} else := {"outcome": "deny", "rule": "agent.trust", "reason": "Agents in production must be verified"} if {
	input.agent.environment == "production"
	rank[input.agent.trust] < rank.verified
} else := {"outcome": "allow", "rule": "agent.allow", "reason": "The registry knows this agent"} if {
	input.agent.registered
	input.agent.trust in object.keys(rank)
	is_array(input.frozen)
}
