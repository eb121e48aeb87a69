// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <cstdint>
#include <memory>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "sdk/core/common/result.hpp"
#include "sdk/core/model/event.hpp"

// Native policy rules: policies/rules/*.yaml.
//
//   defaults:
//     mode: enforce            # off: nothing is judged; monitor: judged and recorded, not applied;
//     enforce store_text: false        # keep prompt and reply text in events (redacted where a
//     rule redacts) fail: closed             # closed | open: what happens to an exchange that
//     could not be scanned
//     opinions: wait          # wait | record: is a reply held back until slower judges (semantic
//     tier, model server) have spoken; those that do not answer in time follow `fail`
//     redaction: label        # label: [REDACTED:rule]; placeholder: <EMAIL_1>, stable per session
//     vault: false            # with placeholders: values come back in replies and tool calls
//   access:                    # optional; first entry whose agent matches counts; no entry: every
//   model and provider
//     - agent: 'ci/*'
//       models: ['gpt-4o*']
//       providers: [openai]
//   rules:                     # first match wins, per detection
//     - id: secrets-in-prompts
//       match: {category: secret, rule_id: 'secret.*', severity: medium, confidence: 0.5,
//       direction: request,
//               surfaces: [prompt], agent: '*', provider: '*', model: '*'}
//       outcome: redact        # allow | deny | redact
//       mode: enforce          # default: defaults.mode
//       reason: Secrets do not leave this host
//
// A detection that no rule matches is allowed and recorded.
namespace aispm::policy {

enum class Mode : std::uint8_t { kOff, kMonitor, kEnforce };
enum class Direction : std::uint8_t { kRequest, kReply };
std::string_view name_of(Mode mode);

inline constexpr std::size_t kMaxPolicyRules = 10'000;

// Who talks to what; every view must outlive the call only.
struct Context {
  std::string_view agent;     // "alice/agent.py"
  std::string_view provider;  // "openai"
  std::string_view model;
};

// What policy needs to know of a detection (or of a detection rule that might fire).
struct Fact {
  std::string_view rule_id;
  std::string_view category;
  model::Severity severity = model::Severity::kUnspecified;
  double confidence = 0;
  std::string_view surface;  // "" = not known: matches rules without `surfaces` only
};

// `detection` must outlive the fact.
inline Fact fact_of(const model::Detection& detection) {
  return {detection.rule_id, detection.category, detection.severity, detection.confidence,
          detection.surface};
}

// What was decided, without owning memory: valid as long as its Policy.
struct Verdict {
  model::Outcome decided = model::Outcome::kAllow;  // what the rules say
  model::Outcome applied =
      model::Outcome::kAllow;  // what is to be done: `decided` under enforce, else kAllow
  Mode mode = Mode::kEnforce;
  std::string_view rule_id;  // "" = no rule matched
  std::string_view reason;
};

// Immutable; any thread. All functions are pure.
class Policy {
 public:
  // Strict: `file:line: what is wrong, what is allowed`. Outcomes that need approvals are refused
  // by name.
  static Result<std::shared_ptr<const Policy>> load(const std::string& path);
  static Result<std::shared_ptr<const Policy>> parse(const std::string& content,
                                                     const std::string& name);
  ~Policy();
  Policy(const Policy&) = delete;
  Policy& operator=(const Policy&) = delete;

  // May this agent use this provider and model at all? Checked before anything is scanned.
  Verdict authorise(const Context& context) const;

  // What happens to one detection.
  Verdict judge(const Context& context, Direction direction, const Fact& fact) const;

  // The verdict over all detections of one direction: deny before redact before allow, the first of
  // equals. `applied`, unless empty, must have the size of `facts` and takes what is to be done
  // with each (which spans to redact). About a microsecond; does not allocate.
  Verdict decide(const Context& context, Direction direction, std::span<const Fact> facts,
                 std::span<model::Outcome> applied) const;

  // The applied outcome of each detection rule should it fire: what detect::StreamScanner and
  // detect::redact take. The work of judge() per rule, so keep the result per (agent, provider,
  // model).
  std::vector<model::Outcome> outcomes(const Context& context, Direction direction,
                                       std::span<const Fact> rules) const;
  // True when no rule of this direction looks at agent, provider or model: one table serves
  // everybody.
  bool same_for_all(Direction direction) const;

  // The event record of a verdict (allocates).
  model::Decision to_decision(const Verdict& verdict) const;

  const std::string& version() const;  // sha256 (hex) of the file
  Mode default_mode() const;
  bool store_text() const;
  bool fail_closed() const;
  bool waits_for_opinions() const;
  bool uses_placeholders() const;
  bool keeps_vault() const;  // only with placeholders
  std::size_t rule_count() const;

 private:
  struct State;
  explicit Policy(std::unique_ptr<State> state);
  std::unique_ptr<State> state_;
};

}  // namespace aispm::policy
