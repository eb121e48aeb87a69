# SPDX-License-Identifier: Apache-2.0
# METADATA
# title: May this model be used?
# description: |
#   input.model     {name, registered: bool, status: approved|review|retired, provider}
#   data.settings.models.denied    names that may not be used, with * as in globs
package aispm.model

import rego.v1

default decision := {"outcome": "deny", "rule": "model.default", "reason": "Only approved models may be used"}

denied if {
	some pattern in data.settings.models.denied
	glob.match(pattern, [], input.model.name)
}

decision := {"outcome": "deny", "rule": "model.denied", "reason": "This model is on the list of denied ones"} if {
	denied
} else := {"outcome": "deny", "rule": "model.unregistered", "reason": "The registry does not know this model"} if {
	not input.model.registered
} else := {"outcome": "deny", "rule": "model.retired", "reason": "This model is retired"} if {
	input.model.status == "retired"
} else := {"outcome": "require_approval", "rule": "model.review", "reason": "This model is still being reviewed"} if {
	input.model.status == "review"
} else := {"outcome": "allow", "rule": "model.allow", "reason": "This model is approved"} if {
	input.model.status == "approved"
}
