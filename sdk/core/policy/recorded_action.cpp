// SPDX-License-Identifier: Apache-2.0
#include "sdk/core/policy/recorded_action.hpp"

#include <algorithm>

namespace aispm::policy {
namespace {

constexpr std::string_view kRedacted = "[REDACTED:";
constexpr std::string_view kArgument = "args.";

Certainty sure(bool value) { return value ? Certainty::kYes : Certainty::kNo; }

std::vector<std::string> list_of(const google::protobuf::RepeatedPtrField<std::string>& from) {
  return {from.begin(), from.end()};
}

bool is_redacted(const Arguments::Leaf& leaf) {
  const auto* text = std::get_if<std::string>(&leaf.value);
  return text != nullptr && text->find(kRedacted) != std::string::npos;
}

std::string lower(std::string_view text) {
  std::string out(text);
  for (char& c : out)
    if (c >= 'A' && c <= 'Z') c = static_cast<char>(c | 0x20);
  return out;
}

// The text without its marks of what was redacted.
std::string without_marks(std::string_view text) {
  std::string out;
  for (;;) {
    const std::size_t mark = text.find(kRedacted);
    out += text.substr(0, mark);
    if (mark == std::string_view::npos) return out;
    out += '\n';  // what stood on both sides was not one word
    const std::size_t end = text.find(']', mark);
    if (end == std::string_view::npos) return out;
    text.remove_prefix(end + 1);
  }
}

}  // namespace

RecordedAction::RecordedAction(const v1::Event& event)
    : roles_(list_of(event.action_call().roles())),
      labels_(list_of(event.action_call().data_labels())),
      inputs_(list_of(event.action_call().inputs())),
      text_(event.action_call().arguments_text()),
      risk_(event.action_call().risk()) {
  const v1::ActionCall& call = event.action_call();
  action_ = {.tool = call.tool(),
             .tool_provider = call.tool_provider(),
             .surface = call.surface(),
             .agent = event.agent_id(),
             .agent_type = call.agent_type(),
             .roles = roles_,
             .trust = parse_trust_level(call.trust()).value_or(TrustLevel::kUntrusted),
             .environment = call.environment(),
             .provider = call.provider(),
             .model = call.model(),
             .destination = call.destination(),
             .labels = labels_,
             .text = text_};
  sight_.description = call.description_sha256();
  sight_.schema = call.schema_sha256();
  has_sight_ = !sight_.description.empty() || !sight_.schema.empty();
  if (text_.empty())
    read_inputs();
  else
    read_arguments();
}

void RecordedAction::take_facts(const AgentFacts& facts, bool keeps_trust) {
  facts_ = facts;
  has_facts_ = true;
  std::erase_if(inputs_, [](const std::string& input) { return input.starts_with("scope="); });
  for (const std::string& scope : facts_.scopes) inputs_.push_back("scope=" + scope);
  action_.agent_type = facts_.type;
  action_.environment = facts_.environment;
  action_.roles = facts_.roles;
  if (!keeps_trust) action_.trust = facts_.trust;
}

void RecordedAction::read_arguments() {
  auto parsed = Arguments::parse(text_);
  if (!parsed) {
    problem_ = parsed.error().message;
    return read_inputs();
  }
  known_ = std::move(*parsed);
  if (text_.find(kRedacted) == std::string::npos) {
    action_.arguments = &known_;
    return;
  }
  std::vector<Arguments::Leaf> clear;
  for (const Arguments::Leaf& leaf : known_.leaves())
    if (!is_redacted(leaf)) clear.push_back(leaf);
  known_ = Arguments::of(std::move(clear));
}

// "args.amount=2000"
void RecordedAction::read_inputs() {
  std::vector<Arguments::Leaf> leaves;
  for (const std::string& input : inputs_) {
    const std::size_t sign = input.find('=');
    if (!std::string_view(input).starts_with(kArgument) || sign == std::string::npos) continue;
    Arguments::Leaf leaf{input.substr(kArgument.size(), sign - kArgument.size()),
                         input.substr(sign + 1)};
    const std::string& value = std::get<std::string>(leaf.value);
    const bool is_flag = value == "true" || value == "false";
    // What was cut when it was recorded is not the value.
    if (is_redacted(leaf) || value.ends_with("...")) continue;
    if (is_flag) leaf.value = value == "true";
    leaves.push_back(std::move(leaf));
  }
  known_ = Arguments::of(std::move(leaves));
}

Certainty RecordedAction::holds(const ArgumentTest& test) const {
  if (is_whole()) return sure(test.holds(action_.arguments));
  const bool wants_none = test.compare == ArgumentTest::Compare::kNeq;
  const bool wants_all = test.compare == ArgumentTest::Compare::kOneOf;
  const bool held = test.holds(&known_);
  const bool is_there =
      std::any_of(known().begin(), known().end(),
                  [&](const Arguments::Leaf& leaf) { return test.path.matches(leaf.path); });
  if (wants_all && is_there && !held) return Certainty::kNo;
  // Found what was looked for, or what must not be there: nothing unknown changes that.
  if (!wants_all && held != wants_none) return sure(held);
  const bool is_known = test.path.is_name() && is_there;
  return is_known ? sure(held) : Certainty::kMaybe;
}

Certainty RecordedAction::contains_any(const std::vector<std::string>& words) const {
  const std::string seen = lower(without_marks(text_));
  const bool found = std::any_of(words.begin(), words.end(), [&](const std::string& word) {
    return seen.find(lower(word)) != std::string::npos;
  });
  return found ? Certainty::kYes : is_whole() ? Certainty::kNo : Certainty::kMaybe;
}

Certainty RecordedAction::holds(const ActionConditions& when) const {
  if (is_whole()) return sure(when.hold(action_));
  Certainty all = Certainty::kYes;
  const auto add = [&all](Certainty one) { all = std::min(all, one); };
  if (!when.contains_any.empty()) add(contains_any(when.contains_any));
  if (!when.not_contains.empty())
    add(contains_any(when.not_contains) == Certainty::kYes ? Certainty::kNo : Certainty::kMaybe);
  if (!when.data_labels_any.empty()) {
    ActionConditions labels;
    labels.data_labels_any = when.data_labels_any;
    add(sure(labels.hold(action_)));
  }
  for (const ArgumentTest& test : when.arguments) add(holds(test));
  if (!when.arguments_only.empty()) {
    ActionConditions only;
    only.arguments_only = when.arguments_only;
    Action known = action_;
    known.arguments = &known_;
    add(only.hold(known) ? Certainty::kMaybe : Certainty::kNo);
  }
  if (when.matches_regex != nullptr) add(Certainty::kMaybe);
  return all;
}

Certainty RecordedAction::matches(const ActionRule& rule) const {
  return rule.fits(action_) ? holds(rule.when) : Certainty::kNo;
}

std::vector<std::string> RecordedAction::inputs(std::string_view name) const {
  std::vector<std::string> values;
  for (const std::string& input : inputs_) {
    const std::size_t sign = input.find('=');
    if (sign == name.size() && input.starts_with(name)) values.push_back(input.substr(sign + 1));
  }
  return values;
}

}  // namespace aispm::policy
