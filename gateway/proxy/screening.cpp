// SPDX-License-Identifier: Apache-2.0
#include "gateway/proxy/screening.hpp"

#include "gateway/proxy/exchange.hpp"
#include "gateway/proxy/guard_call.hpp"
#include "gateway/proxy/opinions.hpp"
#include "gateway/proxy/pipeline/screen.hpp"

namespace aispm::gateway {

using codec::http1::Head;
using net::Task;

Task<ScreenOpinions> ask_judges(Worker& worker, const ScanContext& context, const ScreenText& item,
                                const FirstLook& look) {
  const Services& services = worker.services();
  ScreenOpinions said;
  std::shared_ptr<Opinions> semantic;
  if (context.inspect.layers[static_cast<std::size_t>(detect::Layer::kClassifier)])
    semantic = Opinions::ask_semantic_tier(
        worker, text_for_opinion(item.text, item.surface, look, context.bench->tier1,
                                 services.config.detect.opinions.bytes));
  if (!services.voters.empty()) {
    AISPM_CO_TRY(std::vector<GuardSaid> answers, co_await ask_guards(worker, item.text));
    for (GuardSaid& one : answers) {
      if (one.answer)
        said.guards.push_back({one.voter->name(), std::move(*one.answer)});
      else if (!one.voter->config().optional && said.no_guard.empty())
        said.no_guard = one.voter->provider().config().name + ": " + one.answer.error().message;
    }
  }
  if (!semantic) co_return said;
  (void)co_await semantic->wait();
  said.semantic = true;
  said.detections = semantic->answers().detections;
  if (!semantic->answers().missing.empty()) said.missing = semantic->answers().missing.front();
  co_return said;
}

namespace {

// All texts, in their order.
Task<std::string> screen_all(Worker& worker, Caller caller, std::vector<ScreenText> items,
                             bool is_batch) {
  AISPM_CO_TRY(
      const ScanContext context,
      worker.open_rules(caller.tenant, {.agent = caller.agent_id, .provider = {}, .model = {}}));
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
    co_return co_await client.refuse_unread(
        make_refusal(RefusalKind::kUnauthenticated, kNoAgentKey));
  }
  if (kind == RouteKind::kScreenCategories) {
    keep = keep && head.body == codec::http1::BodyKind::kNone;
    client.input().consume(head.size_bytes);
    AISPM_CO_CHECK(co_await client.send(json_reply(screen_categories(), keep)));
    co_return keep;
  }
  const bool is_batch = kind == RouteKind::kScreenBatch;
  auto body = co_await client.read_body(head, kMaxScreenBodyBytes);
  if (!body) co_return co_await client.refuse_unread(refusal_for(body.error()));
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
        Dialect::kOpenAi, make_refusal(RefusalKind::kUnrecorded, answer.error().message), keep));
    co_return keep;
  }
  AISPM_CO_CHECK(co_await client.send(json_reply(*answer, keep)));
  co_return keep;
}

}  // namespace aispm::gateway
