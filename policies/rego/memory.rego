# SPDX-License-Identifier: Apache-2.0
# METADATA
# title: May this memory be read, written or deleted?
# description: |
#   input.memory    {operation: read|write|delete, kind: session|longterm}
#   input.scopes, input.posture as elsewhere
package aispm.memory

import rego.v1

default decision := {"outcome": "deny", "rule": "memory.default", "reason": "No rule allows this use of memory"}

admin if "spm:admin" in input.scopes

may_read if {
	input.memory.kind == "session"
	"memory:read" in input.scopes
}

may_read if {
	input.memory.kind == "longterm"
	"memory:read:longterm" in input.scopes
}

may_read if admin

write_below := {"session": 0.35, "longterm": 0.20}

decision := {"outcome": "allow", "rule": "memory.read", "reason": "The scope allows reading"} if {
	input.memory.operation == "read"
	input.memory.kind in {"session", "longterm"}
	may_read
} else := {"outcome": "allow", "rule": "memory.write", "reason": "The risk allows writing"} if {
	input.memory.operation == "write"
	input.posture < write_below[input.memory.kind]
} else := {"outcome": "deny", "rule": "memory.risk", "reason": "The risk is too high to write this memory"} if {
	input.memory.operation == "write"
	write_below[input.memory.kind]
} else := {"outcome": "allow", "rule": "memory.delete", "reason": "An administrator may delete"} if {
	input.memory.operation == "delete"
	admin
	input.posture < 0.5
}
