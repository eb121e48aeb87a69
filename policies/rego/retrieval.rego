# SPDX-License-Identifier: Apache-2.0
# METADATA
# title: How many chunks may be retrieved, and from where?
# description: |
#   input.retrieval {namespace: string, wanted: n}
#   input.posture, input.scopes as elsewhere
package aispm.retrieval

import rego.v1

default decision := {"outcome": "deny", "rule": "retrieval.default", "reason": "What is needed to judge this retrieval is missing", "chunks": 0}

sensitive := {"credentials", "secrets", "pki", "hr_records"}

chunks := 0 if {
	input.posture >= 0.7
} else := 3 if {
	input.posture >= 0.4
} else := 10 if {
	input.posture >= 0
}

decision := {"outcome": "deny", "rule": "retrieval.sensitive", "reason": "This namespace needs the scope rag:sensitive", "chunks": 0} if {
	input.retrieval.namespace in sensitive
	not "rag:sensitive" in input.scopes
} else := {"outcome": "deny", "rule": "retrieval.posture", "reason": "At this risk nothing is retrieved", "chunks": 0} if {
	chunks == 0
} else := {"outcome": "allow", "rule": "retrieval.allow", "reason": sprintf("At most %d chunks at this risk", [chunks]), "chunks": min([chunks, input.retrieval.wanted])} if {
	chunks > 0
	is_string(input.retrieval.namespace)
}
