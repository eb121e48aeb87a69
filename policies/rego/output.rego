# SPDX-License-Identifier: Apache-2.0
# METADATA
# title: May this reply leave?
# description: |
#   input.output    {secret: bool, pii: bool, guard: allow|flag|block}
package aispm.output

import rego.v1

default decision := {"outcome": "deny", "rule": "output.default", "reason": "What is needed to judge this reply is missing"}

decision := {"outcome": "deny", "rule": "output.secret", "reason": "The reply holds a secret"} if {
	input.output.secret
} else := {"outcome": "deny", "rule": "output.guard", "reason": "The guard model blocks this reply"} if {
	input.output.guard == "block"
} else := {"outcome": "redact", "rule": "output.pii", "reason": "Personal data is cut out"} if {
	input.output.pii
} else := {"outcome": "allow", "rule": "output.allow", "reason": "Nothing in the reply is held back"} if {
	input.output.secret == false
	input.output.pii == false
	input.output.guard in {"allow", "flag"}
}
