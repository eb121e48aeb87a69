// SPDX-License-Identifier: Apache-2.0
#include "gateway/proxy/observe/scan_route.hpp"

#include "gateway/proxy/decide/action_gate.hpp"
#include "gateway/proxy/exchange.hpp"
#include "gateway/proxy/header_policy.hpp"
#include "gateway/proxy/observe/head_rules.hpp"
#include "gateway/proxy/observe/observatory.hpp"
#include "gateway/proxy/observe/scan_api.hpp"
#include "gateway/proxy/screening.hpp"
#include "sdk/core/common/id.hpp"

namespace aispm::gateway {

using codec::http1::Head;
using net::Task;

namespace {

// The rules in force for the caller, judged by the policy that the question names.
Result<ScanContext> open_context(Worker& worker, const Caller& caller,
                                 const ScanQuestion& question) {
  Services& services = worker.services();
  const policy::Context who{
      .agent = caller.agent_id, .provider = question.provider, .model = question.model};
  ScanPolicies& files = services.observatory->scan_policies;
  const bool is_file = question.policy.empty() || files.knows(question.policy);
  if (const auto bundle =
          is_file ? std::nullopt : services.find_policy(question.policy, caller.tenant))
    return worker.open_rules(caller.tenant, who, &*bundle);
  AISPM_TRY(ScanContext context, worker.open_rules(caller.tenant, who));
  if (question.policy.empty()) return context;
  AISPM_TRY(context.book, files.apply(question.policy, caller.tenant, context.book));
  context.tables =
      context.book->for_all ? context.book->for_all : context.book->make_tables(context.caller);
  context.inspect = worker.services().config.detect.inspect;
  context.take_layers(context.book->own);
  return context;
}

// The bundle that the question names, asked as in an exchange: about the prompt, or whether a reply
// may begin, and what data in it means.
class NamedBundle {
 public:
  NamedBundle(Worker& worker, const Caller& caller, const ScanQuestion& question,
              ScanContext& context)
      : question_(question), context_(context) {
    const bool is_named = !question.policy.empty() && context.policies.enforced &&
                          context.policies.enforced->id == question.policy;
    if (!is_named) return;
    Services& services = worker.services();
    Identity identity = services.identify(context.policies, caller, {}, {});
    ActionGate::Caller who{.agent_id = caller.agent_id,
                           .tenant = caller.tenant,
                           .session_id = question.session,
                           .facts = {},
                           .surface = "prompt",
                           .provider = question.provider,
                           .model = question.model};
    who.take(std::move(identity));
    who_ = std::move(who);
  }

  // Before the text is read.
  void open(bool is_output) {
    if (!who_ || !is_output) return;
    ActionGate gate(context_, context_.policies, *who_, {});
    take(gate.open_reply(policy::GuardVerdict::kAllow, context_.output));
    if (context_.output)
      context_.tables = with_output(*context_.book, *context_.tables, *context_.output);
  }
  // After it.
  void judge(bool is_output, const Findings& findings) {
    if (!who_ || is_output || word_) return;
    RiskFacts risk = read_signals(findings.detections);
    fuse_risk(context_.policies.risk(), who_->facts, question_.item.text,
              question_.item.text.size(), {}, risk);
    ActionGate gate(context_, context_.policies, *who_, std::move(risk));
    if (gate.wants_prompt(wall_now()))
      take(gate.judge_prompt(question_.item.text, question_.item.text));
  }
  const BundleWord* word() const { return word_ ? &*word_ : nullptr; }

 private:
  // What needs a person does not pass by itself.
  void take(const JudgedAction* action) {
    if (action == nullptr) return;
    const model::Outcome outcome = action->verdict.outcome;
    if (outcome != model::Outcome::kAllow && outcome != model::Outcome::kRedact)
      word_ = BundleWord{action->verdict.rule_id, action->verdict.reason};
  }
  const ScanQuestion& question_;
  ScanContext& context_;
  std::optional<ActionGate::Caller> who_;  // nothing: no bundle is named
  std::optional<BundleWord> word_;
};

std::string_view verdict_of(std::string_view action) {
  if (action == "block") return "deny";
  return action == "redact" ? "modify" : action;
}

// What the client's headers say the scan belongs to; each may be empty.
struct ScanTrace {
  std::string trace_id;
  std::string parent_span_id;
  std::string correlation;
};

ScanTrace read_trace(const Client& client, const Head& head) {
  ScanTrace trace;
  trace.correlation = client.correlation;
  TraceParent parent;
  if (!parse_traceparent(head.find("traceparent").value_or(std::string_view{}), parent))
    return trace;
  trace.trace_id = parent.trace_id;
  trace.parent_span_id = parent.parent_id;
  return trace;
}

// The scan among the events and spans.
void tell_scan(Worker& worker, const Caller& caller, const ScanTrace& asked,
               const ScanContext& context, const ScanQuestion& question, ScanOutcome& outcome) {
  const ScanRecord& record = outcome.record;
  const std::string& correlation = asked.correlation;
  const std::string trace = !asked.trace_id.empty()    ? asked.trace_id
                            : !caller.trace_id.empty() ? caller.trace_id
                            : !correlation.empty()     ? trace_of_correlation(correlation)
                                                       : make_trace_id();
  const std::string span_id = make_span_id();
  if (OtlpExporter* const otlp = worker.services().observatory->otlp.get()) {
    SpanRecord span;
    span.kind = SpanRecord::Kind::kScan;
    span.operation = "run_guardrail";
    span.method = record.is_output ? "output" : "input";
    span.verdict = verdict_of(record.action);
    span.trace_id = trace;
    span.span_id = span_id;
    span.parent_span_id = asked.parent_span_id;
    span.start_ns = static_cast<std::uint64_t>(record.time.nanoseconds);
    span.end_ns = span.start_ns + record.latency_us * 1000;
    span.tenant = record.tenant;
    span.agent = record.agent;
    span.session = record.session;
    span.rule = outcome.rule;
    span.correlation = correlation;
    span.detections = outcome.detections.size();
    otlp->offer(std::move(span));
  }
  if (!worker.services().config.observe.scan.record) return;
  model::Event event =
      scan_event(record, context, question.item.text, std::move(outcome.detections), outcome.rule);
  event.host_id = worker.services().host_id;
  event.trace_id = trace;
  event.span_id = span_id;
  event.parent_span_id = asked.parent_span_id;
  worker.record(std::move(event));
}

void note_scan(Worker& worker, const ScanRecord& record) {
  WorkerFigures& figures = worker.figures();
  figures.scans.add(record.latency_us);
  if (record.action == "block") figures.scans_blocked.add();
  if (record.action == "redact") figures.scans_redacted.add();
  for (const ScanRecord::Threat& threat : record.threats)
    if (const auto category = detect::parse_category(threat.type))
      figures.threats[static_cast<std::size_t>(*category)].add();
}

Task<std::string> scan(Worker& worker, const Caller& caller, const ScanTrace& asked,
                       const ScanQuestion& question, bool is_output) {
  const auto started = std::chrono::steady_clock::now();
  ScanRecord record;
  record.id = make_uuid();
  record.time = wall_now();
  record.tenant = caller.tenant;
  record.agent = caller.agent_id;
  record.is_output = is_output;
  AISPM_CO_TRY(ScanContext context, open_context(worker, caller, question));
  NamedBundle bundle(worker, caller, question, context);
  bundle.open(is_output);
  Screened screened = screen_text(context, question.item);
  AISPM_CO_TRY(const ScreenOpinions opinions,
               co_await ask_judges(worker, context, question.item, screened.look));
  bundle.judge(is_output, screened.findings);
  ScanOutcome outcome = describe_scan(context, question, std::move(screened), opinions,
                                      std::move(record), started, bundle.word());
  if (outcome.record.session.empty()) outcome.record.session = caller.session_id;
  note_scan(worker, outcome.record);
  tell_scan(worker, caller, asked, context, question, outcome);
  worker.services().observatory->scans.add(std::move(outcome.record));
  co_return std::move(outcome.body);
}

Refusal refusal_of_scan(const Error& error) {
  if (error.code == Errc::kNotFound) return make_refusal(RefusalKind::kNotFound, error.message);
  if (error.code == Errc::kInvalid) return refusal_for(error);
  return make_refusal(RefusalKind::kNotReady, error.message);
}

Task<bool> serve_list(Client& client, const Head& head, const Route& route, const Caller& caller) {
  const bool keep = head.keep_alive && head.body == codec::http1::BodyKind::kNone;
  auto filter = read_scan_filter(route.query, false);
  client.input().consume(head.size_bytes);
  if (!filter) {
    client.worker().counters().bad_requests.add();
    AISPM_CO_CHECK(co_await client.refuse(Dialect::kOpenAi, refusal_for(filter.error()), keep));
    co_return keep;
  }
  filter->tenant = caller.tenant;
  filter->agent = caller.agent_id;
  const ScanHistory& scans = client.worker().services().observatory->scans;
  const std::string body =
      route.kind == RouteKind::kThreats ? scans.list_threats(*filter) : scans.list_scans(*filter);
  AISPM_CO_CHECK(co_await client.send(json_reply(body, keep)));
  co_return keep;
}

}  // namespace

Task<bool> serve_scan(Client& client, Head head, const Route& route) {
  const std::optional<Caller> caller = authenticate(client, head);
  if (!caller) {
    client.worker().counters().unauthenticated.add();
    co_return co_await client.refuse_unread(
        make_refusal(RefusalKind::kUnauthenticated, kNoAgentKey));
  }
  if (route.kind == RouteKind::kScans || route.kind == RouteKind::kThreats)
    co_return co_await serve_list(client, head, route, *caller);
  const Services& services = client.worker().services();
  if (services.config.observe.scan.record && services.cannot_record()) {
    client.worker().counters().unrecorded_refusals.add();
    co_return co_await client.refuse_unread(
        make_refusal(RefusalKind::kUnrecorded,
                     "scans cannot be recorded at the moment, and this gateway is told to record "
                     "all"));
  }
  const bool keep = head.keep_alive;
  const bool is_output = route.kind == RouteKind::kScanOutput;
  const ScanTrace trace = read_trace(client, head);
  auto body = co_await client.read_decoded_body(head, kMaxScanBodyBytes);
  if (!body) co_return co_await client.refuse_unread(refusal_for(body.error()));
  auto question = read_scan(*body, is_output);
  client.finish_request();
  if (!question) {
    client.worker().counters().bad_requests.add();
    AISPM_CO_CHECK(co_await client.refuse(Dialect::kOpenAi, refusal_for(question.error()), keep));
    co_return keep;
  }
  client.worker().counters().screened.add();
  auto answer = co_await scan(client.worker(), *caller, trace, *question, is_output);
  if (!answer) {
    AISPM_CO_CHECK(co_await client.refuse(Dialect::kOpenAi, refusal_of_scan(answer.error()), keep));
    co_return keep;
  }
  AISPM_CO_CHECK(co_await client.send(json_reply(*answer, keep)));
  co_return keep;
}

}  // namespace aispm::gateway
