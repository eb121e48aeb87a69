// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <string>

#include "sdk/core/common/result.hpp"
#include "sdk/core/detect/rule.hpp"

// Rule packs: policies/detect/*.yaml.
//
//   pack: secrets
//   category: secret
//   rules:
//     - id: secret.aws_access_key
//       severity: critical            # info low medium high critical
//       confidence: 0.95
//       surfaces: [prompt, reply]     # default: all
//       patterns: ['(?:AKIA|ASIA)[A-Z2-7]{16}']
//       triggers: []                  # parts of which every match holds one; looked for first
//                                     # where the patterns themselves would be slow
//       caseless: false
//       not_after: '\w'               # single character class
//       not_before: '\w'
//       keep: ''                      # leading context that is not part of the match
//       max_bytes: 512
//       validators: [aws_key_id, entropy>=3.0]
//       mask: edges                   # text edges last all
//       message: AWS access key id
//       version: '1'
//       hits: ['AKIA{+}IOSFODNN7ABCDEFG']   # `{+}` is removed: keeps scanners of repositories from
//       taking examples for live keys misses: ['AKIA']
//
// Patterns are the common subset of Hyperscan and our own automaton (pattern.hpp): literals,
// classes, groups, alternation, bounded and unbounded repeats; no look-around, back-references,
// anchors or \b (use not_after and not_before).
namespace aispm::detect {

inline constexpr std::size_t kMaxRules = 4096;
inline constexpr std::size_t kMaxPacks = 64;
inline constexpr std::size_t kMaxPatternBytes = 4096;

// Reads every *.yaml of `folder` in name order. Errors read `file:line: what, allowed`: unknown
// keys, bad values, bad patterns, double ids, rules without hits or misses. An empty folder is an
// error: no rules would mean that nothing is detected.
Result<RuleSet> load_packs(const std::string& folder);

// Adds the rules of one pack to `rules` (and not to the version, which `seal` computes). `name`
// stands for the file in messages.
Result<> parse_pack(const std::string& content, const std::string& name, RuleSet& rules);

// A rule set of one pack given as text; for tests, fuzzing and simulation.
Result<RuleSet> parse_rules(const std::string& content, const std::string& name);

}  // namespace aispm::detect
