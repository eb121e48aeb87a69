# SPDX-License-Identifier: Apache-2.0
# METADATA
# title: Does something that writes need a human?
# description: |
#   input.posture   fused risk, 0..1
package aispm.write_approval

import rego.v1

default decision := {"outcome": "deny", "rule": "write.default", "reason": "The risk of this request is not known"}

decision := {"outcome": "deny", "rule": "write.posture", "reason": "The risk is too high to write"} if {
	input.posture >= 0.6
} else := {"outcome": "require_approval", "rule": "write.approval", "reason": "At this risk a human confirms what is written"} if {
	input.posture >= 0.2
} else := {"outcome": "allow", "rule": "write.allow", "reason": "The risk is low"} if {
	input.posture >= 0
	input.posture < 0.2
}
