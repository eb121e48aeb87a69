// SPDX-License-Identifier: Apache-2.0
#include "sdk/core/policy/explain.hpp"

#include <algorithm>
#include <cstdio>

#include "sdk/core/policy/recorded_action.hpp"

namespace aispm::policy {
namespace {

using Compare = ArgumentTest::Compare;
constexpr int kMaxOthers = 5;

std::string text_of(const Arguments::Value& value) {
  if (const auto* flag = std::get_if<bool>(&value)) return *flag ? "true" : "false";
  if (const auto* text = std::get_if<std::string>(&value)) return "`" + *text + "`";
  char buffer[32];
  std::snprintf(buffer, sizeof buffer, "%.15g", std::get<double>(value));
  return buffer;
}

std::string join(const std::vector<std::string>& items, const char* between) {
  std::string out;
  for (const std::string& item : items) out += (out.empty() ? "" : between) + item;
  return out;
}

std::string globs_of(const std::vector<Glob>& globs) {
  std::vector<std::string> names;
  for (const Glob& glob : globs) names.push_back("`" + glob.text() + "`");
  return join(names, " or ");
}

std::string words_of(const std::vector<std::string>& words) {
  std::vector<std::string> names;
  for (const std::string& word : words) names.push_back("`" + word + "`");
  return join(names, " or ");
}

std::string wanted_by(const ArgumentTest& test) {
  switch (test.compare) {
    case Compare::kGt:
      return "greater than " + text_of(test.value);
    case Compare::kGte:
      return "at least " + text_of(test.value);
    case Compare::kLt:
      return "less than " + text_of(test.value);
    case Compare::kLte:
      return "at most " + text_of(test.value);
    case Compare::kEq:
      return text_of(test.value);
    case Compare::kNeq:
      return "not " + text_of(test.value);
    case Compare::kOneOf:
      break;
  }
  std::vector<std::string> values;
  for (const Arguments::Value& value : test.values) values.push_back(text_of(value));
  return "one of " + join(values, ", ");
}

std::string seen_by(const ArgumentTest& test, const RecordedAction& recorded) {
  std::vector<std::string> seen;
  for (const Arguments::Leaf& leaf : recorded.known())
    if (test.path.matches(leaf.path)) seen.push_back(text_of(leaf.value));
  if (!seen.empty()) return join(seen, ", ");
  return recorded.is_whole() ? "not there" : "not recorded";
}

// One thing that a rule asks, and whether the action had it.
struct Ask {
  std::string text;  // "environment is `prod`, asked for `dev`"
  Certainty holds;
};

Certainty sure(bool value) { return value ? Certainty::kYes : Certainty::kNo; }

void add_name(std::vector<Ask>& asks, const char* name, const std::vector<Glob>& globs,
              std::string_view value) {
  if (globs.empty()) return;
  const bool fits = std::any_of(globs.begin(), globs.end(),
                                [&](const Glob& glob) { return glob.matches(value); });
  asks.push_back(
      {std::string(name) + " is `" + std::string(value) + "`, asked for " + globs_of(globs),
       sure(fits)});
}

// A rule that asks only this of `match`.
Certainty fits(ActionRule rule, const RecordedAction& recorded) {
  return sure(rule.fits(recorded.action()));
}

void add_conditions(std::vector<Ask>& asks, const ActionConditions& when,
                    const RecordedAction& recorded) {
  for (const ArgumentTest& test : when.arguments)
    asks.push_back({"args." + test.path.text() + " is " + seen_by(test, recorded) + ", asked for " +
                        wanted_by(test),
                    recorded.holds(test)});
  const auto add = [&](const std::string& text, auto member) {
    ActionConditions one;
    one.*member = when.*member;
    asks.push_back({text, recorded.holds(one)});
  };
  if (!when.contains_any.empty())
    add("the text has any of " + words_of(when.contains_any), &ActionConditions::contains_any);
  if (!when.not_contains.empty())
    add("the text has none of " + words_of(when.not_contains), &ActionConditions::not_contains);
  if (when.matches_regex != nullptr)
    add("the text matches the rule's expression", &ActionConditions::matches_regex);
  if (!when.data_labels_any.empty())
    add("the data has a class of " + words_of(when.data_labels_any),
        &ActionConditions::data_labels_any);
  if (!when.arguments_only.empty())
    add("there are no arguments but " + globs_of(when.arguments_only),
        &ActionConditions::arguments_only);
}

std::vector<Ask> asks_of(const ActionRule& rule, const RecordedAction& recorded) {
  const Action& action = recorded.action();
  std::vector<Ask> asks;
  add_name(asks, "tool", rule.tools, action.tool);
  add_name(asks, "tool_provider", rule.tool_providers, action.tool_provider);
  add_name(asks, "environment", rule.environments, action.environment);
  add_name(asks, "agent", rule.agents, action.agent);
  add_name(asks, "agent_type", rule.agent_types, action.agent_type);
  add_name(asks, "provider", rule.providers, action.provider);
  add_name(asks, "model", rule.models, action.model);
  add_name(asks, "destination", rule.destinations, action.destination);
  add_name(asks, "surface", rule.surfaces, action.surface);
  if (!rule.roles_any.empty()) {
    ActionRule roles;
    roles.roles_any = rule.roles_any;
    asks.push_back({"roles are " + words_of({action.roles.begin(), action.roles.end()}) +
                        ", asked for any of " + words_of(rule.roles_any),
                    fits(std::move(roles), recorded)});
  }
  if (rule.trust_min != TrustLevel::kUntrusted)
    asks.push_back({"trust is " + std::string(name_of(action.trust)) + ", asked for at least " +
                        std::string(name_of(rule.trust_min)),
                    sure(action.trust >= rule.trust_min)});
  add_conditions(asks, rule.when, recorded);
  return asks;
}

std::string name_of_rule(const ActionRule& rule) {
  return "rule `" + rule.id + "` (" + rule.place + ") decides " +
         std::string(model::name_of(rule.outcome));
}

// What would decide if `rule` did not hold.
std::string without(const ActionPolicy& rules, const ActionRule& rule,
                    const RecordedAction& recorded) {
  bool is_behind = false;
  for (const ActionRule& other : rules.rules()) {
    if (&other == &rule)
      is_behind = true;
    else if (is_behind && recorded.matches(other) != Certainty::kNo)
      return name_of_rule(other);
  }
  return "no other rule matches: " + std::string(model::name_of(rules.fallback()));
}

void explain_rule(const ActionPolicy& rules, const ActionRule& rule, const RecordedAction& recorded,
                  v1::Explanation& out) {
  out.set_place(rule.place);
  for (const Ask& ask : asks_of(rule, recorded))
    out.add_held(ask.text + (ask.holds == Certainty::kMaybe ? " (not recorded)" : ""));
  out.add_otherwise("Without one of these " + without(rules, rule, recorded));
}

// Rules before the one that decided which this action missed by one thing only.
void add_near(const ActionPolicy& rules, const ActionRule* decided, const RecordedAction& recorded,
              model::Outcome outcome, v1::Explanation& out) {
  int count = 0;
  for (const ActionRule& rule : rules.rules()) {
    if (&rule == decided || count == kMaxOthers) return;
    if (rule.outcome == outcome) continue;
    const Ask* missed = nullptr;
    int misses = 0;
    const auto asks = asks_of(rule, recorded);
    for (const Ask& ask : asks)
      if (ask.holds == Certainty::kNo) {
        missed = &ask;
        ++misses;
      }
    if (misses != 1) continue;
    out.add_otherwise(missed->text + ": else " + name_of_rule(rule));
    ++count;
  }
}

// The Rego module whose rule this may be: rules are named after it, those of write_approval
// `write`.
std::string module_of(const Bundle& bundle, const std::string& rule) {
  if (bundle.rego() == nullptr) return {};
  std::string module = rule.substr(0, rule.find('.'));
  if (module == "write") module = "write_approval";
  return bundle.rego()->has_package("data.aispm." + module) ? module : std::string();
}

// What people decided in the collector about this agent, where that decided.
bool explain_agent(const RegistryPart& registry, const v1::Event& event, v1::Explanation& out) {
  const std::string& id = event.decision().rule_id();
  if (id != "agent.blocked" && id != "agent.expired") return false;
  for (const RegisteredAgent& agent : registry.agents()) {
    // Of those for whom it acts the reason names the one that is meant.
    const bool is_meant = agent.agent.matches(event.agent_id()) ||
                          event.decision().reason().starts_with(agent.agent.text() + ":");
    const bool is_it = id == "agent.blocked" ? agent.is_blocked : agent.expires.has_value();
    if (!is_meant || !is_it) continue;
    out.set_place(kRegistryFile);
    std::string held = "the registry's entry of the agent `" + agent.agent.text() + "` ";
    if (id == "agent.expired") held += "ended at " + to_rfc3339(*agent.expires);
    if (id == "agent.blocked")
      held += "is blocked" +
              (agent.blocked_reason.empty() ? std::string() : ": " + agent.blocked_reason);
    out.add_held(held);
    out.add_otherwise(id == "agent.blocked" ? "`aispm agent approve` ends the block"
                                            : "`aispm agent register` sets another end");
    return true;
  }
  return false;
}

bool explain_tool(const RegistryPart& registry, const v1::Event& event, v1::Explanation& out) {
  const std::string& id = event.decision().rule_id();
  const v1::ActionCall& call = event.action_call();
  if (id != "tools.blocked" && id != "tools.changed") return false;
  for (const Tool& tool : registry.tools()) {
    if (!tool.name.matches(call.tool()) || !tool.provider.matches(call.tool_provider())) continue;
    if (id == "tools.blocked" ? !tool.is_blocked : tool.pins.empty()) continue;
    out.set_place(kRegistryFile);
    std::string held = "the registry's entry of the tool `" + tool.name.text() + "` ";
    if (id == "tools.blocked")
      held +=
          "is blocked" + (tool.blocked_reason.empty() ? std::string() : ": " + tool.blocked_reason);
    else
      held +=
          "approves " + std::to_string(tool.pins.size()) + " definitions, and this is none of them";
    out.add_held(held);
    out.add_otherwise("`aispm tool approve` approves the definition that was seen");
    return true;
  }
  return false;
}

bool explain_registry(const RegistryPart& registry, const v1::Event& event, v1::Explanation& out) {
  if (explain_agent(registry, event, out) || explain_tool(registry, event, out)) return true;
  if (event.decision().rule_id() != "registry.silent") return false;
  out.set_place(kRegistryFile);
  out.add_held("no policy is for this agent, and the registry says nothing against it");
  return true;
}

}  // namespace

v1::Explanation explain_action(const Bundle* bundle, const v1::Event& event,
                               const RegistryPart* registry) {
  v1::Explanation out;
  for (const std::string& input : event.action_call().inputs()) out.add_held(input);
  if (registry == nullptr && bundle != nullptr) registry = bundle->registry().get();
  if (registry != nullptr && explain_registry(*registry, event, out)) return out;
  if (bundle == nullptr) {
    out.add_gaps("the version of the policy that decided is not kept here");
    return out;
  }
  const RecordedAction recorded(event);
  if (!recorded.is_whole()) out.add_gaps("the arguments were not recorded as a whole");
  const std::string& id = event.decision().rule_id();
  const ActionPolicy* const rules = bundle->actions();
  if (rules != nullptr) {
    const auto found = std::find_if(rules->rules().begin(), rules->rules().end(),
                                    [&](const ActionRule& rule) { return rule.id == id; });
    const ActionRule* const rule = found == rules->rules().end() ? nullptr : &*found;
    const auto outcome = rule ? rule->outcome : rules->fallback();
    if (rule != nullptr || id == "defaults") {
      out.clear_held();
      if (rule != nullptr)
        explain_rule(*rules, *rule, recorded, out);
      else
        out.set_place("actions.yaml");
      add_near(*rules, rule, recorded, outcome, out);
      return out;
    }
  }
  if (const CommandRule* const rule = bundle->commands() ? bundle->commands()->find(id) : nullptr) {
    out.set_place(rule->place);
    out.add_held("a program of the command line fits `" + rule->pattern + "`");
    out.add_otherwise("Without that program the other programs of the line decide");
  } else if (id == "commands.defaults" || id == "commands.unreadable") {
    out.set_place("commands.yaml");
    out.add_otherwise("A rule in commands.yaml that names this program with these arguments");
  } else if (const std::string module = module_of(*bundle, id); !module.empty()) {
    out.set_place("rego, module " + module);
    out.add_gaps("a Rego rule decided: `aispm policy evaluate` shows what it makes of an input");
  } else {
    out.add_gaps("no rule of the policy is called `" + id + "`: the gateway itself decided");
  }
  return out;
}

}  // namespace aispm::policy
