# SPDX-License-Identifier: Apache-2.0
# METADATA
# title: What happens to personal data?
# description: |
#   input.pii       kinds found, e.g. "pii.iban"
#   input.direction request|reply
#   input.scopes    "pii:read" lets replies keep it
package aispm.pii

import rego.v1

default decision := {"outcome": "deny", "rule": "pii.default", "reason": "What is needed to judge personal data is missing"}

# Numbers with which somebody can pay or pass for somebody else.
grave := {"pii.credit_card", "pii.iban", "pii.us_ssn", "pii.passport", "pii.national_id", "pii.bank_account"}

found := {kind | some kind in input.pii}

decision := {"outcome": "allow", "rule": "pii.none", "reason": "No personal data"} if {
	is_array(input.pii)
	count(found) == 0
} else := {"outcome": "redact", "rule": "pii.grave", "reason": "Numbers of persons are cut out"} if {
	count(found & grave) > 0
} else := {"outcome": "allow", "rule": "pii.scope", "reason": "The caller may read personal data"} if {
	input.direction == "reply"
	"pii:read" in input.scopes
} else := {"outcome": "redact", "rule": "pii.cut", "reason": "Personal data is cut out"} if {
	count(found) > 0
}
