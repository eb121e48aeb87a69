// SPDX-License-Identifier: Apache-2.0
#include "sdk/core/policy/action_json.hpp"

#include <algorithm>
#include <array>
#include <boost/json.hpp>

namespace aispm::policy {
namespace {

namespace json = boost::json;

struct ActionText {
  const char* key;
  std::string_view Action::*member;
};
constexpr std::array<ActionText, 10> kTexts = {{{"tool", &Action::tool},
                                                {"tool_provider", &Action::tool_provider},
                                                {"surface", &Action::surface},
                                                {"agent", &Action::agent},
                                                {"agent_type", &Action::agent_type},
                                                {"environment", &Action::environment},
                                                {"provider", &Action::provider},
                                                {"model", &Action::model},
                                                {"destination", &Action::destination},
                                                {"text", &Action::text}}};
struct SightText {
  const char* key;
  std::string_view ToolSight::*member;
};
constexpr std::array<SightText, 5> kSightTexts = {{{"version", &ToolSight::version},
                                                   {"description", &ToolSight::description},
                                                   {"schema", &ToolSight::schema},
                                                   {"endpoint", &ToolSight::endpoint},
                                                   {"source", &ToolSight::source}}};
constexpr std::array<std::string_view, 8> kOthers = {
    "roles", "scopes", "labels", "trust", "posture", "arguments", "signals", "definition"};
constexpr std::string_view kIntent = "intent";

Result<std::string_view> text_at(const json::object& object, const char* key) {
  const json::value* value = object.if_contains(key);
  if (value == nullptr) return std::string_view();
  if (!value->is_string())
    return fail(Errc::kInvalid, std::string("action: `") + key + "` must be a text");
  return std::string_view(value->get_string());
}

Result<std::vector<std::string>> texts_at(const json::object& object, const char* key) {
  std::vector<std::string> texts;
  const json::value* value = object.if_contains(key);
  if (value == nullptr) return texts;
  const auto wrong = [&] {
    return fail(Errc::kInvalid, std::string("action: `") + key + "` must be a list of texts");
  };
  if (!value->is_array()) return wrong();
  for (const json::value& one : value->get_array()) {
    if (!one.is_string()) return wrong();
    texts.emplace_back(one.get_string());
  }
  return texts;
}

Result<> check_keys(const json::object& object) {
  for (const auto& field : object) {
    const std::string_view key(field.key());
    const auto is_text = [&](const ActionText& known) { return key == known.key; };
    if (key != kIntent && std::none_of(kTexts.begin(), kTexts.end(), is_text) &&
        std::find(kOthers.begin(), kOthers.end(), key) == kOthers.end())
      return fail(Errc::kInvalid, "action: `" + std::string(key) + "` is not known; see --help");
  }
  return {};
}

Result<RiskSignals> signals_at(const json::object& object) {
  AISPM_TRY(const std::vector<std::string> names, texts_at(object, "signals"));
  RiskSignals signals;
  for (const std::string& name : names) {
    std::size_t number = 0;
    while (number < kRiskSignals && name_of(static_cast<RiskSignal>(number)) != name) ++number;
    if (number == kRiskSignals)
      return fail(Errc::kInvalid, "action: `signals`: `" + name + "` is no signal");
    signals.add(static_cast<RiskSignal>(number));
  }
  return signals;
}

}  // namespace

struct ActionJson::State {
  json::object object;
  std::vector<std::string> roles;
  std::vector<std::string> labels;
  std::vector<std::string> scopes;
  std::string arguments_text;
  std::optional<Arguments> arguments;
  Action action;
  ToolSight sight;
  ToolState state;
  std::optional<AgentFacts> facts;  // of a registry

  Result<> read();
  Result<> read_arguments();
  Result<> read_tool_state();
};

Result<> ActionJson::State::read() {
  AISPM_CHECK(check_keys(object));
  for (const ActionText& field : kTexts) {
    AISPM_TRY(action.*field.member, text_at(object, field.key));
  }
  AISPM_TRY(roles, texts_at(object, "roles"));
  AISPM_TRY(labels, texts_at(object, "labels"));
  action.roles = roles;
  action.labels = labels;
  AISPM_TRY(const std::string_view trust, text_at(object, "trust"));
  if (!trust.empty()) {
    const auto level = parse_trust_level(trust);
    if (!level)
      return fail(Errc::kInvalid,
                  "action: `trust` must be one of untrusted, basic, verified, privileged, system");
    action.trust = *level;
  }
  AISPM_CHECK(read_arguments());
  return read_tool_state();
}

Result<> ActionJson::State::read_arguments() {
  const json::value* value = object.if_contains("arguments");
  if (value == nullptr) return {};
  arguments_text = json::serialize(*value);
  AISPM_TRY(Arguments parsed, Arguments::parse(arguments_text));
  arguments = std::move(parsed);
  action.arguments = &*arguments;
  if (action.text.empty()) action.text = arguments_text;
  return {};
}

Result<> ActionJson::State::read_tool_state() {
  AISPM_TRY(scopes, texts_at(object, "scopes"));
  state.scopes = scopes;
  AISPM_TRY(state.signals, signals_at(object));
  AISPM_TRY(state.intent, text_at(object, kIntent.data()));
  if (const json::value* posture = object.if_contains("posture")) {
    if (!posture->is_number())
      return fail(Errc::kInvalid, "action: `posture` must be a number from 0 to 1");
    state.posture = posture->to_number<double>();
    if (!(state.posture >= 0 && state.posture <= 1))
      return fail(Errc::kInvalid, "action: `posture` must be a number from 0 to 1");
  }
  const json::value* definition = object.if_contains("definition");
  if (definition == nullptr) return {};
  if (!definition->is_object())
    return fail(Errc::kInvalid, "action: `definition` must be an object");
  for (const SightText& field : kSightTexts) {
    AISPM_TRY(sight.*field.member, text_at(definition->get_object(), field.key));
  }
  state.sight = &sight;
  return {};
}

ActionJson::ActionJson(std::unique_ptr<State> state) : state_(std::move(state)) {}
ActionJson::ActionJson(ActionJson&&) noexcept = default;
ActionJson& ActionJson::operator=(ActionJson&&) noexcept = default;
ActionJson::~ActionJson() = default;

Result<ActionJson> ActionJson::parse(std::string_view text) {
  // First of all, since it refuses an object in which a key stands twice; Boost would take the
  // last.
  AISPM_CHECK(Arguments::parse(text));
  boost::system::error_code error;
  json::value value = json::parse(json::string_view(text.data(), text.size()), error);
  if (error || !value.is_object()) return fail(Errc::kInvalid, "action: must be one JSON object");
  auto state = std::make_unique<State>();
  state->object = std::move(value.get_object());
  AISPM_CHECK(state->read());
  return ActionJson(std::move(state));
}

void ActionJson::take_facts(AgentFacts facts) {
  const AgentFacts& kept = state_->facts.emplace(std::move(facts));
  Action& action = state_->action;
  action.agent_type = kept.type;
  action.environment = kept.environment;
  action.roles = kept.roles;
  action.trust = kept.trust;
  state_->state.scopes = kept.scopes;
}

const Action& ActionJson::action() const { return state_->action; }
const ToolState& ActionJson::state() const { return state_->state; }

std::string ActionJson::rego_input(const AgentStanding& standing) const {
  json::object input = state_->object;
  const Action& action = state_->action;
  const auto text = [](std::string_view view) {
    return json::value(json::string_view(view.data(), view.size()));
  };
  input["tool"] = {{"name", text(action.tool)}, {"provider", text(action.tool_provider)}};
  input["agent"] = {{"id", text(action.agent)},
                    {"type", text(action.agent_type)},
                    {"registered", standing.is_registered},
                    {"trust", text(name_of(action.trust))},
                    {"environment", text(action.environment)},
                    {"delegation_depth", 0},
                    {"max_delegation_depth", standing.max_delegation}};
  input["frozen"] = json::array();  // freezes are the gateway's to know
  input["trust"] = text(name_of(action.trust));
  if (state_->facts) {
    const auto list = [](const std::vector<std::string>& texts) {
      return json::array(texts.begin(), texts.end());
    };
    input["environment"] = text(action.environment);
    input["roles"] = list(state_->facts->roles);
    input["scopes"] = list(state_->facts->scopes);
  }
  for (const char* list : {"roles", "scopes", "labels", "signals"})
    if (!input.contains(list)) input[list] = json::array();
  return json::serialize(input);
}

}  // namespace aispm::policy
