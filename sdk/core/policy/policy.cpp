// SPDX-License-Identifier: Apache-2.0
#include "sdk/core/policy/policy.hpp"

#include "sdk/core/common/crypto.hpp"
#include "sdk/core/common/file.hpp"
#include "sdk/core/common/yaml.hpp"
#include "sdk/core/policy/rule_index.hpp"
#include "sdk/core/policy/rules.hpp"

namespace aispm::policy {

std::string_view name_of(Mode mode) {
  switch (mode) {
    case Mode::kOff:
      return "off";
    case Mode::kMonitor:
      return "monitor";
    case Mode::kEnforce:
      break;
  }
  return "enforce";
}

struct Policy::State {
  Rules rules;
  RuleIndex request;
  RuleIndex reply;
  std::string version;

  const RuleIndex& index(Direction direction) const {
    return direction == Direction::kRequest ? request : reply;
  }
};

Policy::Policy(std::unique_ptr<State> state) : state_(std::move(state)) {}
Policy::~Policy() = default;

Result<std::shared_ptr<const Policy>> Policy::load(const std::string& path) {
  AISPM_TRY(const std::string content, read_file(path, YamlMap::kMaxFileBytes));
  return parse(content, path);
}

Result<std::shared_ptr<const Policy>> Policy::parse(const std::string& content,
                                                    const std::string& name) {
  auto state = std::make_unique<State>();
  AISPM_TRY(state->rules, parse_rules(content, name));
  state->request = RuleIndex(state->rules.rules, Direction::kRequest);
  state->reply = RuleIndex(state->rules.rules, Direction::kReply);
  state->version = sha256_hex(content);
  return std::shared_ptr<const Policy>(new Policy(std::move(state)));
}

namespace {

// What a rule's outcome means under a mode.
Verdict apply(model::Outcome decided, Mode mode, std::string_view rule_id,
              std::string_view reason) {
  Verdict verdict{decided, decided, mode, rule_id, reason};
  if (mode != Mode::kEnforce) verdict.applied = model::Outcome::kAllow;
  return verdict;
}

int rank(model::Outcome outcome) {
  switch (outcome) {
    case model::Outcome::kDeny:
      return 2;
    case model::Outcome::kRedact:
      return 1;
    default:
      return 0;
  }
}

// An applied outcome outranks any that is only recorded.
int rank(const Verdict& verdict) { return 3 * rank(verdict.applied) + rank(verdict.decided); }

bool matches_any(const std::vector<Glob>& globs, std::string_view text) {
  if (globs.empty()) return true;
  for (const Glob& glob : globs)
    if (glob.matches(text)) return true;
  return false;
}

}  // namespace

Verdict Policy::authorise(const Context& context) const {
  const Rules& rules = state_->rules;
  const Verdict allowed = apply(model::Outcome::kAllow, rules.mode, "", "");
  if (rules.mode == Mode::kOff) return allowed;
  for (const Access& access : rules.access) {
    if (!access.agent.matches(context.agent)) continue;
    if (!matches_any(access.providers, context.provider))
      return apply(model::Outcome::kDeny, rules.mode, access.id,
                   "this agent may not use this provider");
    if (!matches_any(access.models, context.model))
      return apply(model::Outcome::kDeny, rules.mode, access.id,
                   "this agent may not use this model");
    return allowed;
  }
  return allowed;
}

Verdict Policy::judge(const Context& context, Direction direction, const Fact& fact) const {
  const Rules& rules = state_->rules;
  if (rules.mode == Mode::kOff) return apply(model::Outcome::kAllow, Mode::kOff, "", "");
  const PolicyRule* rule = state_->index(direction).find(rules.rules, context, fact);
  if (rule == nullptr) return apply(model::Outcome::kAllow, rules.mode, "", "");
  return apply(rule->mode == Mode::kOff ? model::Outcome::kAllow : rule->outcome, rule->mode,
               rule->id, rule->reason);
}

Verdict Policy::decide(const Context& context, Direction direction, std::span<const Fact> facts,
                       std::span<model::Outcome> applied) const {
  Verdict strictest = apply(model::Outcome::kAllow, default_mode(), "", "");
  for (std::size_t i = 0; i < facts.size(); ++i) {
    const Verdict verdict = judge(context, direction, facts[i]);
    if (i < applied.size()) applied[i] = verdict.applied;
    const bool first_named = strictest.rule_id.empty() && !verdict.rule_id.empty();
    const int difference = rank(verdict) - rank(strictest);
    if (difference > 0 || (difference == 0 && first_named)) strictest = verdict;
  }
  return strictest;
}

std::vector<model::Outcome> Policy::outcomes(const Context& context, Direction direction,
                                             std::span<const Fact> rules) const {
  // With mode off nothing is judged, so nothing needs to be looked for either.
  std::vector<model::Outcome> table(rules.size(), model::Outcome::kUnspecified);
  if (default_mode() == Mode::kOff) return table;
  for (std::size_t i = 0; i < rules.size(); ++i)
    table[i] = judge(context, direction, rules[i]).applied;
  return table;
}

bool Policy::same_for_all(Direction direction) const {
  return !state_->index(direction).depends_on_context();
}

model::Decision Policy::to_decision(const Verdict& verdict) const {
  model::Decision decision;
  decision.outcome = verdict.decided;
  decision.mode = name_of(verdict.mode);
  decision.rule_id = verdict.rule_id;
  decision.reason = verdict.reason;
  decision.policy_version = state_->version;
  return decision;
}

const std::string& Policy::version() const { return state_->version; }
Mode Policy::default_mode() const { return state_->rules.mode; }
bool Policy::store_text() const { return state_->rules.store_text; }
bool Policy::fail_closed() const { return state_->rules.fail_closed; }
bool Policy::waits_for_opinions() const { return state_->rules.waits_for_opinions; }
bool Policy::uses_placeholders() const { return state_->rules.uses_placeholders; }
bool Policy::keeps_vault() const { return state_->rules.keeps_vault; }
std::size_t Policy::rule_count() const { return state_->rules.rules.size(); }

}  // namespace aispm::policy
