// SPDX-License-Identifier: Apache-2.0
#include "gateway/proxy/decide/action_gate.hpp"

#include <algorithm>

#include "gateway/proxy/decide/data_cut.hpp"
#include "gateway/proxy/decide/scan_arguments.hpp"
#include "gateway/proxy/decide/watched_context.hpp"
#include "sdk/core/common/id.hpp"
#include "sdk/core/common/utf8.hpp"
#include "sdk/core/policy/strictness.hpp"

namespace aispm::gateway {

using model::Outcome;

namespace {

constexpr std::size_t kMaxShownBytes = 16U << 10;
constexpr std::size_t kMaxShownPrompt = 2048;
constexpr detect::Surface kSurface = detect::Surface::kToolArguments;

void deny(ActionVerdict& verdict, std::string rule, std::string reason) {
  verdict.outcome = Outcome::kDeny;
  verdict.rule_id = std::move(rule);
  verdict.reason = std::move(reason);
}

model::Detection finding_of(const char* rule, const char* message) {
  model::Detection detection;
  detection.rule_id = rule;
  detection.category = "tool_abuse";
  detection.severity = model::Severity::kMedium;
  detection.confidence = 0.6;
  detection.surface = "tool_arguments";
  detection.message = message;
  return detection;
}

model::Detection alert_of(const ActionVerdict& verdict) {
  model::Detection detection;
  detection.rule_id = verdict.rule_id;
  detection.category = "custom";
  detection.severity = model::Severity::kHigh;
  detection.confidence = 1;
  detection.surface = "policy";
  detection.message = verdict.reason;
  return detection;
}

}  // namespace

ActionGate::ActionGate(const ScanContext& scan, PolicySet policies, Caller caller, RiskFacts risk,
                       policy::ToolUsage* usage, policy::ToolSightings* sightings)
    : scan_(scan),
      policies_(std::move(policies)),
      caller_(std::move(caller)),
      risk_(std::move(risk)),
      usage_(usage),
      sightings_(sightings) {}

ActionContext ActionGate::context() const {
  return {.agent_id = caller_.agent_id,
          .facts = &caller_.facts,
          .surface = caller_.surface,
          .provider = caller_.provider,
          .model = caller_.model,
          .risk = &risk_,
          .intent = caller_.intent,
          .is_registered = caller_.is_registered,
          .delegation_depth = caller_.delegation_depth,
          .max_delegation = caller_.max_delegation};
}

void ActionGate::Caller::take(Identity identity) {
  facts = std::move(identity.facts);
  intent = std::move(identity.intent);
  is_registered = identity.is_registered;
  delegation_depth = identity.delegation_depth;
  max_delegation = identity.max_delegation;
}

ActionGate::Answer ActionGate::judge(const ActionAsk& asked) {
  const WallTime now = wall_now();
  JudgedAction action;
  action.tool = asked.tool;
  action.tool_provider = asked.tool_provider;
  action.destination = asked.destination;
  ActionAsk ask = asked;
  const auto classes = classes_of(scan_, asked.arguments, kSurface);
  if (classes) {
    const bool is_said = std::find(ask.labels.begin(), ask.labels.end(), "PII") != ask.labels.end();
    if (!is_said && !classes->has_other_pii) ask.addresses = classes->addresses;
    for (std::string& label : classes->labels()) ask.labels.push_back(std::move(label));
  }
  action.labels = ask.labels;
  std::string clean;
  const auto cut = cut_data(scan_, asked.arguments, kSurface, clean);
  action.shown = cut ? clean : "(withheld: " + cut.error().message + ")";
  cut_utf8(action.shown, kMaxShownBytes);
  judge_watched(ask, action, now);
  Answer answer{.say = Say::kPass, .action = actions_.size(), .changed = {}};
  if (!policies_.enforced) {
    action.verdict = unjudged_action(context(), ask);
    actions_.push_back(std::move(action));
    return answer;
  }
  action.verdict = judge_action(*policies_.enforced, context(), ask, now);
  judge_offer(ask, action);
  if (!classes) deny(action.verdict, "arguments.unscannable", classes.error().message);
  if (actions_.size() >= kMaxActions)
    deny(action.verdict, "actions.too_many",
         "More than " + std::to_string(kMaxActions) + " tool calls in one reply");
  if (action.verdict.outcome == Outcome::kRedact) {
    if (!cut) {
      deny(action.verdict, action.verdict.rule_id, cut.error().message);
    } else if (*cut > 0 && !is_still_json(asked.arguments, clean)) {
      deny(action.verdict, action.verdict.rule_id, "data in it cannot be cut out in place");
    } else if (*cut > 0) {
      answer.say = Say::kChange;
      answer.changed = std::move(clean);
    }
  }
  count_use(action);
  if (policy::strictness(action.verdict.outcome) >= policy::strictness(Outcome::kDeny))
    answer.say = Say::kDeny;
  if (must_wait(action.verdict.outcome)) answer.say = Say::kWait;
  actions_.push_back(std::move(action));
  return answer;
}

void ActionGate::offer(std::string_view request) {
  const auto& enforced = policies_.enforced;
  if (enforced && enforced->bundle && enforced->bundle->tools() != nullptr)
    offered_ = OfferedTools::read(request);
}

// What the tool said of itself when it was offered.
void ActionGate::judge_offer(const ActionAsk& ask, JudgedAction& action) {
  const auto& bundle = policies_.enforced->bundle;
  ActionVerdict& verdict = action.verdict;
  if (offered_) action.definition = offered_->find(ask.tool);
  if (!offered_ || verdict.outcome == Outcome::kDeny || !bundle || bundle->tools() == nullptr)
    return;
  const policy::ToolVerdict said =
      offered_->judge(*bundle->tools(), caller_.tenant, caller_.agent_id, ask, sightings_);
  if (said.outcome == Outcome::kDeny)
    deny(verdict, std::string(said.rule_id), std::string(said.reason));
}

// How often, and in which order: `limits` and `sequences` of tools.yaml.
void ActionGate::count_use(JudgedAction& action) {
  const auto& bundle = policies_.enforced->bundle;
  if (usage_ == nullptr || !bundle || bundle->tools() == nullptr || !bundle->tools()->has_file())
    return;
  const policy::UsageVerdict said =
      usage_->count(bundle->tools()->limits(),
                    {.tenant = caller_.tenant,
                     .agent = caller_.agent_id,
                     .session = caller_.session_id,
                     .tool = action.tool},
                    action.verdict.outcome == Outcome::kDeny, boot_now());
  if (policy::strictness(said.verdict.outcome) > policy::strictness(action.verdict.outcome)) {
    action.verdict.outcome = said.verdict.outcome;
    action.verdict.rule_id = std::string(said.verdict.rule_id);
    action.verdict.reason = std::string(said.verdict.reason);
  }
  const auto add = [&](bool found, const char* rule, const char* message) {
    if (found) action.findings.push_back(finding_of(rule, message));
  };
  add(said.findings.actor_hour, "tools.actor_hour",
      "An agent calls more tools in an hour than usual");
  add(said.findings.session_minute, "tools.session_minute", "A session calls many tools at once");
  add(said.findings.block_ratio, "tools.block_ratio", "Many of an agent's calls are refused");
}

void ActionGate::judge_watched(const ActionAsk& ask, const JudgedAction& like, WallTime now) {
  for (const auto& policy : policies_.monitored)
    if (JudgedAction* const action = watch(like))
      action->verdict = WatchedContext(*policy, context(), now).ask([&](const ActionContext& who) {
        return judge_action(*policy, who, ask, now);
      });
}

void ActionGate::judge_watched_further(const FurtherJudge& judge, WallTime now) {
  for (std::size_t i = 0; i < std::min(watched_.size(), policies_.monitored.size()); ++i) {
    const PolicyView& policy = *policies_.monitored[i];
    ActionVerdict said = WatchedContext(policy, context(), now).ask([&](const ActionContext& who) {
      return judge(policy, who, now);
    });
    ActionVerdict& before = watched_[i].verdict;
    if (policy::strictness(said.outcome) <= policy::strictness(before.outcome)) continue;
    before.outcome = said.outcome;
    before.rule_id = std::move(said.rule_id);
    before.reason = std::move(said.reason);
  }
}

JudgedAction* ActionGate::watch(const JudgedAction& like) {
  if (watched_.size() < kMaxWatched) return &watched_.emplace_back(like);
  ++unwatched_;
  return nullptr;
}

std::string_view ActionGate::mode() const {
  return policy::name_of(policies_.enforced ? policy::Mode::kEnforce : policy::Mode::kOff);
}

std::string describe_denial(const JudgedAction& action) {
  const ActionVerdict& verdict = action.verdict;
  std::string text = "tool call " + action.tool + " denied by rule " + verdict.rule_id;
  if (!verdict.reason.empty()) text += ": " + verdict.reason;
  return text;
}

bool ActionGate::wants_prompt(WallTime now) const {
  const auto wants = [&](const std::shared_ptr<const PolicyView>& policy) {
    return policy && (!policy->bundle || policy->modules.agent || policy->modules.prompt ||
                      policy->bundle->has_risk() || policy->is_expired(now));
  };
  return wants(policies_.enforced) ||
         std::any_of(policies_.monitored.begin(), policies_.monitored.end(), wants);
}

JudgedAction* ActionGate::judge_prompt(std::string_view whole, std::string_view newest) {
  const WallTime now = wall_now();
  JudgedAction action;
  action.tool = "prompt";
  std::string clean;
  const auto cut = cut_data(scan_, newest, detect::Surface::kPrompt, clean);
  action.shown = cut ? clean : "(withheld: " + cut.error().message + ")";
  cut_utf8(action.shown, kMaxShownPrompt);
  for (const auto& policy : policies_.monitored) {
    ActionVerdict said = WatchedContext(*policy, context(), now).ask([&](const ActionContext& who) {
      return gateway::judge_prompt(*policy, who, whole, now);
    });
    if (said.outcome == Outcome::kAllow) continue;
    if (JudgedAction* const watched = watch(action)) watched->verdict = std::move(said);
  }
  if (!policies_.enforced) return nullptr;
  action.verdict = gateway::judge_prompt(*policies_.enforced, context(), whole, now);
  if (action.verdict.outcome == Outcome::kAllow) return nullptr;
  // Nothing can be cut out of it any more.
  if (action.verdict.outcome == Outcome::kRedact) action.verdict.outcome = Outcome::kDeny;
  return &actions_.emplace_back(std::move(action));
}

JudgedAction* ActionGate::open_reply(policy::GuardVerdict guard,
                                     std::shared_ptr<const OutputRules>& rules) {
  if (!policies_.enforced) return nullptr;
  const WallTime now = wall_now();
  const auto ask = [&](bool has_secret, bool has_pii) {
    return judge_output(*policies_.enforced, context(),
                        {.has_secret = has_secret, .has_pii = has_pii, .guard = guard}, now);
  };
  ActionVerdict any = ask(false, false);
  if (any.outcome == Outcome::kDeny) {
    JudgedAction& action = actions_.emplace_back();
    action.tool = "reply";
    action.verdict = std::move(any);
    return &action;
  }
  const auto word_of = [](ActionVerdict verdict) {
    return OutputRules::Word{verdict.outcome, std::move(verdict.rule_id),
                             std::move(verdict.reason)};
  };
  auto said = std::make_shared<OutputRules>();
  said->secret = word_of(ask(true, false));
  said->pii = word_of(ask(false, true));
  if (said->says_anything()) rules = std::move(said);
  return nullptr;
}

void ActionGate::close_reply(const ReplyFacts& reply) {
  if (!reply.has_secret && !reply.has_pii) return;
  const WallTime now = wall_now();
  JudgedAction action;
  action.tool = "reply";
  for (const auto& policy : policies_.monitored) {
    ActionVerdict said = WatchedContext(*policy, context(), now).ask([&](const ActionContext& who) {
      return judge_output(*policy, who, reply, now);
    });
    if (said.outcome == Outcome::kAllow) continue;
    if (JudgedAction* const watched = watch(action)) watched->verdict = std::move(said);
  }
  if (!policies_.enforced) return;
  action.verdict = judge_output(*policies_.enforced, context(), reply, now);
  if (action.verdict.outcome != Outcome::kAllow) actions_.push_back(std::move(action));
}

model::Event action_event(const JudgedAction& action, const ActionGate::Caller& caller,
                          const RiskFacts& risk, const ActionRecord& record) {
  const ActionVerdict& verdict = action.verdict;
  model::ActionCall call;
  call.surface = caller.surface;
  call.tool = action.tool;
  call.tool_provider = action.tool_provider;
  call.destination = action.destination;
  call.digest = verdict.digest;
  call.description_sha256 = action.definition.description_sha256;
  call.schema_sha256 = action.definition.schema_sha256;
  if (record.store_text) call.arguments_text = action.shown;
  call.data_labels = action.labels;
  call.inputs = verdict.inputs;
  call.policy_id = verdict.policy_id;
  call.approval_id = action.approval_id;
  call.risk = risk.risk;
  call.agent_type = caller.facts.type;
  call.roles = caller.facts.roles;
  call.trust = std::string(policy::name_of(caller.facts.trust));
  call.environment = caller.facts.environment;
  call.model = caller.model;
  call.provider = caller.provider;
  model::Event event;
  event.id = make_uuid();
  event.time = wall_now();
  event.agent_id = caller.agent_id;
  event.source = model::Source::kGateway;
  event.body = std::move(call);
  event.detections = action.findings;
  if (verdict.is_alert) event.detections.push_back(alert_of(verdict));
  model::Decision decision;
  decision.outcome = record.outcome;
  decision.mode = std::string(record.mode);
  decision.rule_id = verdict.rule_id;
  decision.reason = record.reason.empty() ? verdict.reason : std::string(record.reason);
  decision.policy_version = verdict.policy_version;
  decision.case_id = action.approval_id.empty() ? event.id : action.approval_id;
  event.decision = std::move(decision);
  return event;
}

}  // namespace aispm::gateway
