// SPDX-License-Identifier: Apache-2.0
#include "gateway/proxy/screening.hpp"

#include "gateway/proxy/exchange.hpp"
#include "gateway/proxy/guard_call.hpp"
#include "gateway/proxy/opinions.hpp"
#include "gateway/proxy/pipeline/screen.hpp"

namespace aispm::gateway {

using codec::http1::Head;
using net::Task;

namespace {

std::string ok(std::string_view body, bool keep_alive) {
  return "HTTP/1.1 200 OK\r\ncontent-type: application/json\r\ncontent-length: " +
         std::to_string(body.size()) +
         (keep_alive ? "\r\nconnection: keep-alive\r\n\r\n" : "\r\nconnection: close\r\n\r\n") +
         std::string(body);
}

Refusal refusal(RefusalKind kind, std::string message) {
  return {.kind = kind, .message = "AISPM: " + std::move(message), .decision = {}, .case_id = {}};
}

Result<ScanContext> make_context(Worker& worker, const Caller& caller) {
  AISPM_TRY(RuleDesk::Rules rules, worker.desk().rules(caller.tenant));
  ScanContext context;
  context.book = std::move(rules.book);
  context.bench = std::move(rules.bench);
  context.caller = {.agent = caller.agent_id, .provider = {}, .model = {}};
  context.tables = worker.desk().tables(*context.book, context.caller);
  context.inspect = worker.services().config.detect.inspect;
  context.take_layers(context.book->own);
  return context;
}

// What slower judges say of one text.
Task<ScreenOpinions> ask_judges(Worker& worker, const ScanContext& context, const ScreenText& item,
                                const FirstLook& look) {
  const Services& services = worker.services();
  ScreenOpinions said;
  std::shared_ptr<Opinions> semantic;
  if (context.inspect.layers[static_cast<std::size_t>(detect::Layer::kClassifier)])
    semantic = Opinions::ask_semantic_tier(
        worker, text_for_opinion(item.text, item.surface, look, context.bench->tier1,
                                 services.config.detect.opinions.bytes));
  if (Voter* const voter = services.voter.get()) {
    said.guard_name = name_of(voter->config().form);
    auto answer = co_await ask_guard(worker, *voter, item.text);
    said.guard.emplace(std::move(answer));
  }
  if (!semantic) co_return said;
  (void)co_await semantic->wait();
  said.semantic = true;
  said.detections = semantic->answers().detections;
  if (!semantic->answers().missing.empty()) said.missing = semantic->answers().missing.front();
  co_return said;
}

// All texts, in their order.
Task<std::string> screen_all(Worker& worker, Caller caller, std::vector<ScreenText> items,
                             bool is_batch) {
  AISPM_CO_TRY(const ScanContext context, make_context(worker, caller));
  std::string results;
  for (const ScreenText& item : items) {
    const auto started = std::chrono::steady_clock::now();
    Screened screened = screen_text(context, item);
    AISPM_CO_TRY(const ScreenOpinions opinions,
                 co_await ask_judges(worker, context, item, screened.look));
    if (!results.empty()) results += ",";
    results += describe_screened(context, item, std::move(screened), opinions, started);
  }
  if (is_batch) results = "{\"results\":[" + results + "]}";
  co_return results;
}

}  // namespace

Task<bool> serve_screening(Client& client, Head head, RouteKind kind) {
  bool keep = head.keep_alive;
  std::optional<Caller> caller = authenticate(client, head);
  if (!caller) {
    client.worker().counters().unauthenticated.add();
    AISPM_CO_CHECK(co_await client.refuse(
        Dialect::kOpenAi, refusal(RefusalKind::kUnauthenticated, "this is not the key of an agent"),
        false));
    (void)co_await client.linger();
    co_return false;
  }
  if (kind == RouteKind::kScreenCategories) {
    keep = keep && head.body == codec::http1::BodyKind::kNone;
    client.input().consume(head.size_bytes);
    AISPM_CO_CHECK(co_await client.send(ok(screen_categories(), keep)));
    co_return keep;
  }
  const bool is_batch = kind == RouteKind::kScreenBatch;
  auto body = co_await client.read_body(head, kMaxScreenBodyBytes);
  if (!body) {
    AISPM_CO_CHECK(co_await client.refuse(Dialect::kOpenAi, refusal_for(body.error()), false));
    (void)co_await client.linger();
    co_return false;
  }
  auto items = read_screen(*body, is_batch);
  client.finish_request();
  if (!items) {
    client.worker().counters().bad_requests.add();
    AISPM_CO_CHECK(co_await client.refuse(Dialect::kOpenAi, refusal_for(items.error()), keep));
    co_return keep;
  }
  client.worker().counters().screened.add(items->size());
  auto answer = co_await screen_all(client.worker(), *caller, std::move(*items), is_batch);
  if (!answer) {
    AISPM_CO_CHECK(co_await client.refuse(
        Dialect::kOpenAi, refusal(RefusalKind::kUnrecorded, answer.error().message), keep));
    co_return keep;
  }
  AISPM_CO_CHECK(co_await client.send(ok(*answer, keep)));
  co_return keep;
}

}  // namespace aispm::gateway
