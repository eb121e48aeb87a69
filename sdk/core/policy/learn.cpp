// SPDX-License-Identifier: Apache-2.0
#include "sdk/core/policy/learn.hpp"

#include <algorithm>

#include "sdk/core/policy/command_governor.hpp"
#include "sdk/core/policy/replay.hpp"
#include "sdk/core/policy/shell_tool.hpp"

namespace aispm::policy {
namespace {

using model::Outcome;

constexpr int kMaxProgramsOfLine = 32;

bool has_wildcard(std::string_view text) { return text.find_first_of("*?") != std::string::npos; }

bool is_number(std::string_view part) {
  return !part.empty() && part.find_first_not_of("0123456789") == std::string_view::npos;
}

// `items.0.price` is `items.*.price`: how many there are does not matter.
std::string path_of(const std::string& path) {
  std::string out;
  for (std::size_t at = 0; at <= path.size();) {
    const std::size_t end = std::min(path.find('.', at), path.size());
    const std::string part = path.substr(at, end - at);
    out += (at == 0 ? "" : ".") + (is_number(part) ? "*" : part);
    at = end + 1;
  }
  return out;
}

std::string number_text(double number) {
  char buffer[32];
  std::snprintf(buffer, sizeof buffer, "%.17g", number);
  return buffer;
}

std::string text_of(const Arguments::Value& value) {
  if (const auto* flag = std::get_if<bool>(&value)) return *flag ? "true" : "false";
  if (const auto* number = std::get_if<double>(&value)) return number_text(*number);
  return std::get<std::string>(value);
}

}  // namespace

void Learner::add(const v1::Event& event) {
  if (!event.has_action_call() || event.agent_id() != agent_) return;
  const v1::ActionCall& call = event.action_call();
  if (call.surface() == "prompt" || call.surface() == "output" || call.surface() == "detection")
    return;  // no tool was called
  ++events_;
  const Outcome outcome = applied_outcome(event.decision());
  const bool was_asked = outcome == Outcome::kApproved || outcome == Outcome::kRequireApproval ||
                         outcome == Outcome::kStepUp || outcome == Outcome::kRequireTicket ||
                         outcome == Outcome::kRequireHuman;
  const bool is_good = (outcome == Outcome::kAllow || was_asked) && event.detections().empty();
  auto& labels = is_good ? good_labels_ : bad_labels_;
  labels.insert(call.data_labels().begin(), call.data_labels().end());
  // A mode that applies nothing allows everything: what it would have denied is no example.
  const auto decided = outcome_of(event.decision().outcome());
  if (harshness(decided) == harshness(Outcome::kDeny)) return leave_out("it was denied");
  if (outcome == Outcome::kRedact) return leave_out("it was redacted");
  if (!event.detections().empty()) return leave_out("a detection is about it");
  if (!is_good) return leave_out("a person refused it, or nobody answered");
  add_action(event, was_asked);
}

void Learner::add_action(const v1::Event& event, bool was_asked) {
  const v1::ActionCall& call = event.action_call();
  const RecordedAction recorded(event);
  for (const std::string* name : {&call.tool(), &call.tool_provider(), &call.destination()})
    if (has_wildcard(*name)) return leave_out("a name in it has * or ?, which a rule reads as any");
  const bool is_shell = is_shell_tool(call.tool());
  if (is_shell && !recorded.is_whole()) return leave_out("its command was not recorded");
  std::set<std::string> paths;
  for (const Arguments::Leaf& leaf : recorded.known()) {
    if (has_wildcard(leaf.path))
      return leave_out("a name in it has * or ?, which a rule reads as any");
    paths.insert(path_of(leaf.path));
  }
  if (paths.size() > kMaxPaths) return leave_out("it has too many arguments");
  std::string all;
  if (recorded.is_whole())
    for (const std::string& path : paths) all += path + "\n";
  Key key{call.tool(),
          call.tool_provider(),
          call.environment(),
          was_asked && !is_shell,
          !call.destination().empty(),
          recorded.is_whole() ? all : "?"};
  if (!groups_.contains(key) && groups_.size() >= kMaxGroups)
    return leave_out("there are too many ways of using tools");
  if (is_shell && !learn_command(recorded, was_asked))
    return leave_out("its command cannot be written as a rule that allows just this");
  Group& group = groups_[key];
  ++group.count;
  group.is_whole = recorded.is_whole();
  if (!call.destination().empty() && group.destinations.size() <= kMaxPlaces)
    group.destinations.insert(call.destination());
  if (!group.is_whole) return;
  for (const Arguments::Leaf& leaf : recorded.known()) {
    if (is_shell && is_command_argument(leaf.path)) {
      group.arguments[path_of(leaf.path)].is_long = true;
      continue;
    }
    auto [found, is_new] = group.arguments.try_emplace(path_of(leaf.path));
    Argument& argument = found->second;
    const std::string text = text_of(leaf.value);
    argument.is_long = argument.is_long || text.size() > kMaxValueBytes || text.empty();
    if (argument.texts.size() <= kMaxValues) argument.texts.insert(text);
    const auto* const number = std::get_if<double>(&leaf.value);
    argument.is_number = argument.is_number && number != nullptr;
    if (!argument.is_number) continue;
    argument.low = is_new ? *number : std::min(argument.low, *number);
    argument.high = is_new ? *number : std::max(argument.high, *number);
  }
}

// Asks a governor that knows nothing yet what it would have to allow.
bool Learner::learn_command(const RecordedAction& recorded, bool was_asked) {
  const auto line = shell_command(recorded.known());
  if (!line) return false;
  std::vector<CommandRule> rules;
  for (int i = 0; i < kMaxProgramsOfLine; ++i) {
    const auto governor = CommandGovernor::compile(rules, Outcome::kDeny);
    if (!governor) return false;
    const CommandVerdict verdict = governor->judge(*line);
    if (verdict.outcome == Outcome::kAllow) {
      for (const CommandRule& rule : rules) {
        auto& [times, asked] = commands_[rule.pattern];
        asked = was_asked && (asked || times == 0);
        ++times;
      }
      return commands_.size() <= kMaxCommands;
    }
    const bool is_known = !rules.empty() && rules.back().pattern == verdict.command;
    if (is_known || verdict.command.empty() || has_wildcard(verdict.command) ||
        verdict.command.ends_with("...") || verdict.command.size() > kMaxValueBytes)
      return false;
    rules.push_back({"seen-" + std::to_string(i), verdict.command, Outcome::kAllow, ""});
  }
  return false;
}

}  // namespace aispm::policy
