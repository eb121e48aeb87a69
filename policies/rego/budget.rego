# SPDX-License-Identifier: Apache-2.0
# METADATA
# title: Are there tokens left?
# description: |
#   input.budget    {session_tokens: n, day_tokens: n, wanted: n}; what is reserved counts as used
package aispm.budget

import rego.v1

default decision := {"outcome": "deny", "rule": "budget.default", "reason": "What is needed to judge this budget is missing", "warn": false}

default per_session := 8192

per_session := data.settings.budget.session

default per_day := 2000000

per_day := data.settings.budget.day

session_after := input.budget.session_tokens + input.budget.wanted

day_after := input.budget.day_tokens + input.budget.wanted

near if session_after >= 0.8 * per_session

near if day_after >= 0.8 * per_day

decision := {"outcome": "deny", "rule": "budget.session", "reason": sprintf("A session may use %d tokens", [per_session]), "warn": true} if {
	session_after > per_session
} else := {"outcome": "deny", "rule": "budget.day", "reason": sprintf("A day may use %d tokens", [per_day]), "warn": true} if {
	day_after > per_day
} else := {"outcome": "allow", "rule": "budget.warn", "reason": "Four fifths of the tokens are used", "warn": true} if {
	near
} else := {"outcome": "allow", "rule": "budget.allow", "reason": "There are tokens left", "warn": false} if {
	session_after <= per_session
	day_after <= per_day
}
