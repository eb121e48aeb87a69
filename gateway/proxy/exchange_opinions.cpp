// SPDX-License-Identifier: Apache-2.0
// What slower judges said of an exchange's request, what follows where something could not be
// judged, and what its reply is held against.
#include "gateway/proxy/exchange_state.hpp"
#include "gateway/proxy/guard_call.hpp"
#include "gateway/proxy/opinions.hpp"
#include "gateway/proxy/pipeline/explain.hpp"
#include "gateway/proxy/unjudged.hpp"

namespace aispm::gateway {

using model::Outcome;

namespace {

// The request is on its way already: nothing can be cut out of it any more.
bool denies(Outcome outcome) { return outcome == Outcome::kDeny || outcome == Outcome::kRedact; }

}  // namespace

bool ExchangeState::opinions_deny() const {
  const policy::Policy& policy = *context.book->policy;
  if (!opinions || !policy.waits_for_opinions()) return false;
  for (const model::Detection& detection : opinions->answers().detections)
    if (denies(policy.judge(context.caller, policy::Direction::kRequest, policy::fact_of(detection))
                   .applied))
      return true;
  return false;
}

Step ExchangeState::take_opinions(bool apply) {
  heard = true;
  const policy::Policy& policy = *context.book->policy;
  const Opinions::Answers& answers = opinions->answers();
  Findings findings;
  bool denied = false;
  for (const model::Detection& detection : answers.detections) {
    policy::Verdict said =
        policy.judge(context.caller, policy::Direction::kRequest, policy::fact_of(detection));
    if (!apply) said.applied = Outcome::kAllow;
    if (denies(said.applied)) {
      denied = true;
      said.decided = said.applied = Outcome::kDeny;
    }
    strengthen(findings.verdict, said);
    findings.add(detection);
  }
  take_findings(std::move(findings));
  if (!answers.missing.empty()) counters.opinions_missing.add();
  if (denied) {
    counters.denied_requests.add();
    Refusal refusal = deny(policy.to_decision(verdict));
    services.sticky.remember(caller.key(), request_key(), *decision, net::Clock::now());
    return refusal;
  }
  if (apply && !answers.missing.empty()) return unheard("the request", answers.missing.front());
  return {};
}

Step ExchangeState::unscannable(std::string_view what, const std::string& why) {
  if (context.book->policy->fail_closed()) return cannot_scan(what, why);
  counters.unscannable.add();
  detections.push_back(passed_unjudged(what, why));
  return {};
}

Step ExchangeState::refuse_unseen(std::string rule, std::string reason) {
  counters.denied_requests.add();
  model::Decision denial;
  denial.mode = "enforce";
  denial.rule_id = std::move(rule);
  denial.reason = std::move(reason);
  denial.policy_version = context.book->policy->version();
  return deny(std::move(denial));
}

Step ExchangeState::check_readable() {
  if (!request.history.empty() && !services.config.provider_history) {
    const bool is_talk =
        api == codec::Api::kOpenAiResponses && request.history.find("file") == std::string::npos;
    return refuse_unseen(
        "aispm.provider_history",
        "\"" + request.history +
            "\" stands for text that the provider keeps and nobody here can read; send " +
            (is_talk ? "the whole conversation, with \"store\": false" : "the text itself"));
  }
  if (request.has_remote_mcp && !services.config.remote_mcp)
    return refuse_unseen("aispm.remote_mcp",
                         "the provider is to ask MCP servers, and nobody here could judge those "
                         "calls before they are made; agents reach such servers by /mcp");
  if (!request.has_tokens) return {};
  return unscannable("the request", "it gives tokens in place of text; send the text itself");
}

Step ExchangeState::check_time(std::string_view what, const Findings& findings) {
  counters.inspections_late.add(findings.late);
  counters.inspections_cut.add(findings.cut);
  if (findings.cut == 0) return {};
  return unscannable(what, "there was not time enough to look through all of it");
}

Refusal ExchangeState::cannot_scan(std::string_view what, const std::string& why) {
  counters.unscannable.add();
  model::Decision denial;
  denial.outcome = Outcome::kDeny;
  denial.mode = "enforce";
  denial.rule_id = kUnscannableRule;
  denial.reason = std::string(what) + " could not be scanned: " + why;
  denial.policy_version = context.book->policy->version();
  return deny(std::move(denial));
}

// A judge that must speak did not.
Step ExchangeState::unheard(std::string_view what, const std::string& why) {
  counters.unscannable.add();
  if (!context.book->policy->fail_closed()) {
    detections.push_back(passed_unjudged(what, why));
    return {};
  }
  model::Decision denial;
  denial.mode = "enforce";
  denial.rule_id = kGuardRule;
  denial.reason = std::string(what) + " could not be judged: " + why;
  denial.policy_version = context.book->policy->version();
  return deny(std::move(denial));
}

bool ExchangeState::guards_reply() const {
  return context.book && context.book->policy->waits_for_opinions() && services.judges_replies();
}

net::asio::awaitable<Step> ExchangeState::hear_reply_guards(std::string text) {
  const std::size_t bytes = text.size();
  auto answers = co_await ask_guards(worker, std::move(text), GuardAbout::kReply);
  if (!answers) co_return unheard("the reply", answers.error().message);
  const policy::Policy& policy = *context.book->policy;
  Findings findings;
  std::string missing;
  for (const GuardSaid& said : *answers) {
    if (!said.answer) {
      if (!said.voter->config().optional && missing.empty())
        missing = said.voter->provider().config().name + ": " + said.answer.error().message;
      continue;
    }
    for (model::Detection& detection :
         describe_guard(*said.answer, detect::Surface::kReply, bytes, said.voter->name())) {
      policy::Verdict judged =
          policy.judge(context.caller, policy::Direction::kReply, policy::fact_of(detection));
      if (denies(judged.applied)) judged.decided = judged.applied = Outcome::kDeny;
      strengthen(findings.verdict, judged);
      findings.add(std::move(detection));
    }
  }
  const bool denied = findings.denied();
  take_findings(std::move(findings));
  if (denied) {
    counters.denied_replies.add();
    Refusal refusal = deny(policy.to_decision(verdict));
    services.sticky.remember(caller.key(), request_key(), *decision, net::Clock::now());
    co_return refusal;
  }
  if (missing.empty()) co_return Step{};
  counters.opinions_missing.add();
  co_return unheard("the reply", missing);
}

void ExchangeState::open_leaks() {
  const LeakConfig& config = services.config.detect.leaks;
  if (config.prompt_echo) {
    context.leaks.prompt = context.bench->prompts.of(request, context.bench->known);
    if (context.leaks.prompt && context.leaks.prompt->is_cut()) counters.prompts_cut.add();
  }
  context.leaks.echo = config.echo;
  if (config.tool_schemas && !request.tools_offered.empty()) context.leaks.tools = &request;
}

}  // namespace aispm::gateway
