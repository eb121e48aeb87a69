# SPDX-License-Identifier: Apache-2.0
# Holds every module to tests/cases.json: `opa test policies/rego`. The product's own engine is held to the same table.
package cases_test

import rego.v1

settings := {
	"models": {"denied": ["denied-model", "toy-*"]},
	"egress": {"allowed": ["api.example.com", "*.example.org", "webhook.site"]},
}

wrong contains sprintf("%s: %s: got %v", [module, case.name, got]) if {
	some module, cases in data.tests.cases
	some case in cases
	got := data.aispm[module].decision with input as case.input with data.settings as settings
	some key, value in case.expect
	got[key] != value
}

judged contains [module, case.name] if {
	some module, cases in data.tests.cases
	some case in cases
	data.aispm[module].decision with input as case.input
}

test_all_cases if {
	print(wrong)
	count(wrong) == 0
}

test_every_case_is_judged if {
	count(judged) == sum([count(cases) | some cases in data.tests.cases])
	count(judged) >= 200
}
