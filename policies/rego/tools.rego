# SPDX-License-Identifier: Apache-2.0
# METADATA
# title: May this tool be called?
# description: |
#   A tool that is not listed here is denied. Each has a scope that the caller must hold and a risk below which it may be called.
#   input.tool      {name}
#   input.scopes    what the registry grants this caller
#   input.posture   fused risk, 0..1
#   input.signals   names of what detection saw
#   input.intent    optional: what the user asked for; its plan must have this tool
package aispm.tools

import rego.v1

default decision := {"outcome": "deny", "rule": "tools.default", "reason": "No rule allows this tool"}

default own_limits := {}

own_limits := data.settings.tools.limits

default own_plans := {}

own_plans := data.settings.tools.plans

limits := object.union(
	{
		"calendar.read": {"below": 0.40, "scope": "calendar:read"},
		"gmail.read": {"below": 0.35, "scope": "gmail:read"},
		"file.read": {"below": 0.35, "scope": "file:read"},
		"db.query": {"below": 0.30, "scope": "db:query"},
		"web.*": {"below": 0.50, "scope": "web:access"},
		"gmail.send": {"below": 0.25, "scope": "gmail:send"},
		"calendar.write": {"below": 0.25, "scope": "calendar:write"},
		"file.write": {"below": 0.20, "scope": "file:write"},
	},
	own_limits,
)

plans := object.union(
	{
		"send mail": ["gmail.read", "gmail.send"],
		"read mail": ["gmail.read"],
		"plan a meeting": ["calendar.read", "calendar.write"],
		"look something up": ["web.search", "web.fetch"],
		"edit a file": ["file.read", "file.write"],
		"ask the database": ["db.query"],
	},
	own_plans,
)

read_only := {"security.review", "calendar.read", "gmail.read"}

signal(name) if name in input.signals

limit := limits[input.tool.name] if {
	limits[input.tool.name]
} else := limits["web.*"] if {
	startswith(input.tool.name, "web.")
}

outside_plan if {
	input.intent
	not input.tool.name in object.get(plans, input.intent, [])
}

decision := {"outcome": "allow", "rule": "tools.review", "reason": "A security review may always be asked for"} if {
	input.tool.name == "security.review"
} else := {"outcome": "deny", "rule": "tools.exfiltration", "reason": "Data is being carried out: no tool may be called"} if {
	signal("exfiltration")
} else := {"outcome": "deny", "rule": "tools.posture", "reason": "At this risk no tool may be called"} if {
	input.posture >= 0.5
} else := {"outcome": "deny", "rule": "tools.lockdown", "reason": "After a prompt injection only reading tools may be called"} if {
	signal("prompt_injection")
	not input.tool.name in read_only
} else := {"outcome": "deny", "rule": "tools.intent", "reason": "This tool is not part of what the user asked for"} if {
	outside_plan
} else := {"outcome": "deny", "rule": "tools.scope", "reason": sprintf("%s needs the scope %s", [input.tool.name, limit.scope])} if {
	not limit.scope in input.scopes
} else := {"outcome": "deny", "rule": "tools.limit", "reason": sprintf("%s may be called below a risk of %v", [input.tool.name, limit.below])} if {
	input.posture >= limit.below
} else := {"outcome": "allow", "rule": "tools.allow", "reason": "Scope and risk allow this tool"} if {
	limit.scope in input.scopes
	input.posture < limit.below
}
