# SPDX-License-Identifier: Apache-2.0
# METADATA
# title: May this prompt go to the model?
# description: |
#   The first of these that holds decides. A number that is missing is no number: the request is denied.
#   input.posture       fused risk, 0..1
#   input.guard         {verdict: allow|flag|block, score: 0..1}
#   input.signals       names of what detection saw, e.g. "prompt_injection"
#   input.ttps          techniques that the sequence of events of this session matched
#   input.drift         0..1, how far this prompt is from what the session was about
#   input.behaviour     {burst: bool, sustained: bool}
#   input.retrieval     {trust: 0..1}
package aispm.prompt

import rego.v1

default decision := {"outcome": "deny", "rule": "prompt.default", "reason": "What is needed to judge this prompt is missing"}

default block_at := 0.7

block_at := data.settings.thresholds.block_at

default allow_below := 0.3

allow_below := data.settings.thresholds.allow_below

signal(name) if name in input.signals

decision := {"outcome": "deny", "rule": "prompt.guard", "reason": "The guard model blocks this prompt"} if {
	input.guard.verdict == "block"
} else := {"outcome": "deny", "rule": "prompt.ttp", "reason": "This session follows a known attack technique"} if {
	count(input.ttps) > 0
} else := {"outcome": "deny", "rule": "prompt.recon", "reason": "The prompt explores the system around the model"} if {
	signal("recon")
} else := {"outcome": "deny", "rule": "prompt.tool_injection", "reason": "The prompt carries a tool call of its own"} if {
	signal("tool_injection")
} else := {"outcome": "deny", "rule": "prompt.exfiltration", "reason": "The prompt asks for data to be sent out"} if {
	signal("exfiltration")
} else := {"outcome": "deny", "rule": "prompt.tool_abuse", "reason": "The prompt asks for a tool to be misused"} if {
	signal("tool_abuse")
} else := {"outcome": "deny", "rule": "prompt.privilege_escalation", "reason": "The prompt asks for rights that its user does not have"} if {
	signal("privilege_escalation")
} else := {"outcome": "deny", "rule": "prompt.drift", "reason": "An injection far from what this session is about"} if {
	input.drift >= 0.75
	signal("prompt_injection")
} else := {"outcome": "deny", "rule": "prompt.obfuscation", "reason": "Hidden text that the guard model finds suspicious"} if {
	signal("obfuscation")
	input.guard.score >= 0.3
} else := {"outcome": "deny", "rule": "prompt.behaviour", "reason": "Suspicious events come in a burst and go on"} if {
	input.behaviour.burst
	input.behaviour.sustained
} else := {"outcome": "deny", "rule": "prompt.retrieval", "reason": "Retrieved text is not to be trusted at this risk"} if {
	input.retrieval.trust < 0.35
	input.posture >= allow_below
} else := {"outcome": "deny", "rule": "prompt.posture", "reason": "The risk of this request is too high"} if {
	input.posture >= block_at
} else := {"outcome": "require_approval", "rule": "prompt.escalate", "reason": "The risk of this request needs a human"} if {
	input.posture >= allow_below
} else := {"outcome": "allow", "rule": "prompt.allow", "reason": "The risk of this request is low"} if {
	input.posture < allow_below
	input.posture >= 0
}
