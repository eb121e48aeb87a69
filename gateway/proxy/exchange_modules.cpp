// SPDX-License-Identifier: Apache-2.0
#include "gateway/proxy/exchange_modules.hpp"

#include <algorithm>
#include <map>

#include "gateway/proxy/decide/module_judge.hpp"
#include "gateway/proxy/decide/pii_rules.hpp"
#include "gateway/proxy/decide/watched_context.hpp"
#include "gateway/proxy/limits/model_gate.hpp"
#include "gateway/proxy/pipeline/surfaces.hpp"
#include "sdk/core/policy/freeze_book.hpp"
#include "sdk/core/policy/strictness.hpp"

namespace aispm::gateway {

using model::Outcome;

namespace {

using Judge = std::function<ActionVerdict(const PolicyView&, const ActionContext&, WallTime)>;

// Asks the policies that are only watched, then the one that is enforced. Null: it allows, or says
// nothing; else its action, to be recorded with the others.
JudgedAction* ask(ExchangeState& x, const char* what, const Judge& judge) {
  ActionGate& gate = *x.gate;
  const WallTime now = wall_now();
  JudgedAction action;
  action.tool = what;
  for (const auto& policy : gate.policies().monitored) {
    ActionVerdict said =
        WatchedContext(*policy, gate.context(), now).ask([&](const ActionContext& who) {
          return judge(*policy, who, now);
        });
    if (said.outcome == Outcome::kAllow) continue;
    if (gate.watched().size() >= ActionGate::kMaxWatched) {
      x.counters.actions_unwatched.add();
      continue;
    }
    gate.watched().push_back(action);
    gate.watched().back().verdict = std::move(said);
  }
  if (!gate.policies().enforced) return nullptr;
  action.verdict = judge(*gate.policies().enforced, gate.context(), now);
  if (action.verdict.outcome == Outcome::kAllow) return nullptr;
  return &gate.actions().emplace_back(std::move(action));
}

Step refuse_denied(ExchangeState& x, const JudgedAction* action) {
  if (action == nullptr || action->verdict.outcome != Outcome::kDeny) return {};
  x.counters.denied_requests.add();
  return x.deny_action(*action, settled_of(*action));
}

// Any policy of this exchange has it.
bool has_any(const PolicySet& policies, std::string_view module) {
  const auto has = [&](const std::shared_ptr<const PolicyView>& policy) {
    return policy && has_module(*policy, module);
  };
  return has(policies.enforced) ||
         std::any_of(policies.monitored.begin(), policies.monitored.end(), has);
}

// Places of documents that are asked about, each by an evaluation of its own. Whoever makes the
// request also names the tools: more than this is denied, not asked about.
constexpr std::size_t kMaxPlaces = 64;
using Documents = std::map<std::string, std::uint64_t>;

// Documents that were looked up for this turn, by how they came: given along with a message, or as
// a tool's result. Those before the model's last words were judged when they were new. No more
// than kMaxPlaces and one.
Documents documents_in(const codec::LlmRequest& request) {
  Documents found;
  for (auto at = request.parts.rbegin(); at != request.parts.rend(); ++at) {
    const codec::TextPart& part = *at;
    const bool is_models = part.surface == codec::Surface::kAssistant ||
                           part.surface == codec::Surface::kToolArguments;
    if (is_models || found.size() > kMaxPlaces) break;
    const bool is_one = part.is_message && !part.text.empty() && !part.is_key &&
                        surface_of(part) == detect::Surface::kRetrievedDocument;
    if (is_one) ++found[part.tool.empty() ? std::string("documents") : std::string(part.tool)];
  }
  return found;
}

// What `rules` says, and `before` as long as it: verdicts hold views into both.
std::shared_ptr<const OutputRules> kept(std::shared_ptr<const OutputRules> rules,
                                        std::shared_ptr<const OutputRules> before) {
  if (!before) return rules;
  if (!rules) rules = std::make_shared<OutputRules>();
  const OutputRules* const said = rules.get();
  auto both = std::make_shared<
      std::pair<std::shared_ptr<const OutputRules>, std::shared_ptr<const OutputRules>>>(
      std::move(rules), std::move(before));
  return {std::move(both), said};
}

PiiWords words_for(const ExchangeState& x, const ActionContext& context, const char* direction) {
  const auto& enforced = x.context.policies.enforced;
  if (!enforced || !has_module(*enforced, "pii")) return {};
  const WallTime now = wall_now();
  return ask_about_kinds(*x.context.book, [&](const std::string& kind) {
    return judge_pii(*enforced, context, {kind}, direction, now);
  });
}

std::string status_of(const ExchangeState& x) {
  return x.services.use.models ? x.services.use.models->status_of(std::string(x.model_sent()))
                               : std::string();
}

ActionVerdict deny_places(const PolicyView& policy) {
  ActionVerdict verdict;
  if (!has_module(policy, "retrieval")) return verdict;
  verdict.policy_id = policy.id;
  verdict.policy_version = policy.version();
  verdict.outcome = Outcome::kDeny;
  verdict.rule_id = "retrieval.unreadable";
  verdict.reason = "Documents came from more than " + std::to_string(kMaxPlaces) + " places";
  return verdict;
}

Step judge_retrieval(ExchangeState& x) {
  const Documents documents = documents_in(x.request);
  if (documents.size() > kMaxPlaces)
    return refuse_denied(x, ask(x, "retrieval", [](const auto& policy, const auto&, WallTime) {
                           return deny_places(policy);
                         }));
  for (const auto& [place, count] : documents) {
    const Step denied = refuse_denied(
        x, ask(x, "retrieval", [&](const auto& policy, const auto& who, WallTime now) {
          return judge_documents(policy, who, place, count, now);
        }));
    if (denied) return denied;
  }
  return {};
}

}  // namespace

Step judge_provider(ExchangeState& x) {
  if (!has_any(x.gate->policies(), "egress")) return {};
  const std::string& host = x.provider->origin().host;
  return refuse_denied(x,
                       ask(x, "provider", [&](const auto& policy, const auto& who, WallTime now) {
                         return judge_host(policy, who, host, now);
                       }));
}

Step judge_upstream(ExchangeState& x) {
  const PolicySet& policies = x.gate->policies();
  if (has_any(policies, "model")) {
    const std::string name = std::string(x.model_sent());
    const std::string status = status_of(x);
    const ModelFacts facts{name, x.provider->event_name(), status};
    const Step denied =
        refuse_denied(x, ask(x, "model", [&](const auto& policy, const auto& who, WallTime now) {
                        return judge_model(policy, who, facts, now);
                      }));
    if (denied) return denied;
  }
  if (Step denied = judge_provider(x)) return denied;
  return has_any(policies, "retrieval") ? judge_retrieval(x) : Step{};
}

bool modules_allow(const ExchangeState& x, const ActionGate& gate) {
  if (!gate.policies().enforced) return true;
  const PolicyView& policy = *gate.policies().enforced;
  const ActionContext who = gate.context();
  const WallTime now = wall_now();
  const auto allows = [](const ActionVerdict& said) { return said.outcome == Outcome::kAllow; };
  const std::string status = status_of(x);
  const ModelFacts facts{x.model_sent(), x.provider->event_name(), status};
  if (!allows(judge_model(policy, who, facts, now)) ||
      !allows(judge_host(policy, who, x.provider->origin().host, now)))
    return false;
  if (has_module(policy, "retrieval")) {
    const Documents documents = documents_in(x.request);
    if (documents.size() > kMaxPlaces) return false;
    for (const auto& [place, count] : documents)
      if (!allows(judge_documents(policy, who, place, count, now))) return false;
  }
  const std::vector<std::string> kinds = pii_kinds(x.detections, false);
  if (kinds.empty()) return true;
  const ActionVerdict said = judge_pii(policy, who, kinds, "request", now);
  return allows(said) || (said.outcome == Outcome::kRedact &&
                          are_withheld(*x.context.book, *x.context.tables, x.detections));
}

Step judge_tokens(ExchangeState& x, std::uint64_t wanted) {
  if (!x.gate || !has_any(x.gate->policies(), "budget")) return {};
  BudgetFacts facts{.session_tokens = {}, .day_tokens = {}, .wanted = wanted};
  if (x.services.use.budgets) {
    const auto states =
        x.services.use.budgets->look({.tenant = x.caller.tenant,
                                      .user = std::string(policy::user_of_agent(x.caller.agent_id)),
                                      .agent = x.caller.agent_id,
                                      .session = x.caller.session_id},
                                     x.started_wall);
    for (const BudgetState& state : states) {
      if (state.budget->is_money || state.budget->per == BudgetPer::kMonth) continue;
      auto& tokens = state.budget->per == BudgetPer::kDay ? facts.day_tokens : facts.session_tokens;
      // What this call reserved there already is what it wants.
      const std::uint64_t before = state.used - std::min(state.used, wanted);
      tokens = std::max(tokens.value_or(0), before);
    }
  }
  x.gate->enter("prompt");
  const JudgedAction* const judged =
      ask(x, "budget", [&](const auto& policy, const auto& who, WallTime now) {
        return judge_budget(policy, who, facts, now);
      });
  x.gate->enter("reply");
  return refuse_denied(x, judged);
}

bool asks_pii(const ExchangeState& x) {
  const auto& enforced = x.context.policies.enforced;
  return enforced && has_module(*enforced, "pii");
}

void take_pii_of_request(const ExchangeState& x, ScanContext& into) {
  if (!asks_pii(x)) return;
  const Identity who =
      x.services.identify(x.context.policies, x.caller, x.proofs.delegation, x.proofs.intent);
  const std::string model(x.model_sent());
  const ActionContext context{.agent_id = x.caller.agent_id,
                              .facts = &who.facts,
                              .surface = "prompt",
                              .provider = x.provider->event_name(),
                              .model = model,
                              .intent = who.intent,
                              .is_registered = who.is_registered,
                              .delegation_depth = who.delegation_depth,
                              .max_delegation = who.max_delegation};
  const PiiWords words = words_for(x, context, "request");
  if (words.empty()) {  // what was said of another provider does not count for this one
    into.output = kept(nullptr, std::move(into.output));
    return;
  }
  auto said = std::make_shared<OutputRules>();
  said->pii = strictest(words);
  into.output = kept(std::move(said), std::move(into.output));
  into.tables = with_pii_of_request(*into.book, *into.tables, words);
}

Step judge_pii_of_request(ExchangeState& x) {
  if (!has_any(x.gate->policies(), "pii")) return {};
  const std::vector<std::string> kinds = pii_kinds(x.detections, false);
  if (kinds.empty()) return {};
  JudgedAction* const judged =
      ask(x, "pii", [&](const auto& policy, const auto& who, WallTime now) {
        return judge_pii(policy, who, kinds, "request", now);
      });
  // Cut out is what the module says of each kind alone, before the texts are read.
  if (judged != nullptr && judged->verdict.outcome == Outcome::kRedact &&
      !are_withheld(*x.context.book, *x.context.tables, x.detections)) {
    judged->verdict.outcome = Outcome::kDeny;
    judged->verdict.reason += " (of these kinds together; alone one of them may stay)";
  }
  return refuse_denied(x, judged);
}

void take_pii_of_reply(ExchangeState& x, std::shared_ptr<const OutputRules> before) {
  const PiiWords words = words_for(x, x.gate->context(), "reply");
  if (!words.empty()) {
    auto said = x.context.output ? std::make_shared<OutputRules>(*x.context.output)
                                 : std::make_shared<OutputRules>();
    const OutputRules::Word strict = strictest(words);
    if (policy::strictness(strict.outcome) > policy::strictness(said->pii.outcome))
      said->pii = strict;
    x.context.output = std::move(said);
    x.context.tables = with_pii_of_reply(*x.context.book, *x.context.tables, words);
  }
  x.context.output = kept(std::move(x.context.output), std::move(before));
}

void note_pii_of_reply(ExchangeState& x, const std::vector<std::string>& kinds) {
  if (kinds.empty() || !has_any(x.gate->policies(), "pii")) return;
  (void)ask(x, "pii", [&](const auto& policy, const auto& who, WallTime now) {
    return judge_pii(policy, who, kinds, "reply", now);
  });
}

}  // namespace aispm::gateway
