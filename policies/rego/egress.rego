# SPDX-License-Identifier: Apache-2.0
# METADATA
# title: May data go to this host?
# description: |
#   input.egress    {host: lower-case name}
#   data.settings.egress.allowed   names, or "*.example.com" for all below a domain
package aispm.egress

import rego.v1

default decision := {"outcome": "deny", "rule": "egress.default", "reason": "This host is not on the list of allowed ones"}

# Where anybody can leave data for anybody.
drops := {"pastebin.com", "requestbin.com", "ngrok.io", "ngrok-free.app", "ngrok.app", "webhook.site", "transfer.sh", "pipedream.net", "beeceptor.com", "hastebin.com", "ix.io", "0x0.st", "file.io"}

host := trim_suffix(lower(input.egress.host), ".")

is_below(name, domain) if name == domain

is_below(name, domain) if endswith(name, concat("", [".", domain]))

is_drop if {
	some domain in drops
	is_below(host, domain)
}

is_allowed if {
	some entry in data.settings.egress.allowed
	not startswith(entry, "*.")
	host == entry
}

is_allowed if {
	some entry in data.settings.egress.allowed
	startswith(entry, "*.")
	endswith(host, substring(entry, 1, -1))
}

decision := {"outcome": "deny", "rule": "egress.drop", "reason": "Data left there can be read by anybody"} if {
	is_drop
} else := {"outcome": "allow", "rule": "egress.allow", "reason": "This host is on the list of allowed ones"} if {
	is_allowed
}
