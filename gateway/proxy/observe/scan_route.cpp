// SPDX-License-Identifier: Apache-2.0
#include "gateway/proxy/observe/scan_route.hpp"

#include "gateway/proxy/exchange.hpp"
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
  AISPM_TRY(ScanContext context, worker.open_rules(caller.tenant, {.agent = caller.agent_id,
                                                                   .provider = question.provider,
                                                                   .model = question.model}));
  if (question.policy.empty()) return context;
  AISPM_TRY(context.book, worker.services().observatory->scan_policies.apply(
                              question.policy, caller.tenant, context.book));
  context.tables =
      context.book->for_all ? context.book->for_all : context.book->make_tables(context.caller);
  context.inspect = worker.services().config.detect.inspect;
  context.take_layers(context.book->own);
  return context;
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

Task<std::string> scan(Worker& worker, const Caller& caller, const ScanQuestion& question,
                       bool is_output) {
  const auto started = std::chrono::steady_clock::now();
  ScanRecord record;
  record.id = make_uuid();
  record.time = wall_now();
  record.tenant = caller.tenant;
  record.agent = caller.agent_id;
  record.is_output = is_output;
  AISPM_CO_TRY(const ScanContext context, open_context(worker, caller, question));
  Screened screened = screen_text(context, question.item);
  AISPM_CO_TRY(const ScreenOpinions opinions,
               co_await ask_judges(worker, context, question.item, screened.look));
  ScanOutcome outcome =
      describe_scan(context, question, std::move(screened), opinions, std::move(record), started);
  if (outcome.record.session.empty()) outcome.record.session = caller.session_id;
  note_scan(worker, outcome.record);
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
  const bool keep = head.keep_alive;
  const bool is_output = route.kind == RouteKind::kScanOutput;
  auto body = co_await client.read_body(head, kMaxScanBodyBytes);
  if (!body) co_return co_await client.refuse_unread(refusal_for(body.error()));
  auto question = read_scan(*body, is_output);
  client.finish_request();
  if (!question) {
    client.worker().counters().bad_requests.add();
    AISPM_CO_CHECK(co_await client.refuse(Dialect::kOpenAi, refusal_for(question.error()), keep));
    co_return keep;
  }
  client.worker().counters().screened.add();
  auto answer = co_await scan(client.worker(), *caller, *question, is_output);
  if (!answer) {
    AISPM_CO_CHECK(co_await client.refuse(Dialect::kOpenAi, refusal_of_scan(answer.error()), keep));
    co_return keep;
  }
  AISPM_CO_CHECK(co_await client.send(json_reply(*answer, keep)));
  co_return keep;
}

}  // namespace aispm::gateway
