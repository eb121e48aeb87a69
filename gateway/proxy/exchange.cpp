// SPDX-License-Identifier: Apache-2.0
#include "gateway/proxy/exchange.hpp"

#include <algorithm>

#include "gateway/net/proxy_header.hpp"
#include "gateway/proxy/exchange_relay.hpp"
#include "gateway/proxy/header_policy.hpp"
#include "gateway/proxy/opinions.hpp"
#include "gateway/proxy/traffic/failover.hpp"
#include "gateway/proxy/traffic/route_plan.hpp"
#include "gateway/proxy/translate/translation.hpp"
#include "sdk/core/codec/json_edit.hpp"
#include "sdk/core/codec/json_tree.hpp"

// One request to a model, from its head to its record. Read run_exchange() from top to bottom; each
// step either lets the exchange go on or says what to tell the client.
namespace aispm::gateway {

using codec::http1::Head;
using net::asio::awaitable;

namespace {

// Aborts the upstream soon after the client has gone: nobody pays for an answer that nobody reads.
class DisconnectGuard final : public net::Watchdog::Entry {
 public:
  static constexpr std::chrono::milliseconds kLook{500};
  explicit DisconnectGuard(ExchangeState& x) : Entry(x.worker.watchdog()), x_(x) {
    expire_after(kLook);
  }

 private:
  void on_expired() override {
    if (!x_.in_flight || !x_.client.stream().peer_is_gone()) return expire_after(kLook);
    x_.client_left();
    x_.in_flight->abort();
  }
  ExchangeState& x_;
};

Step identify(ExchangeState& x, Client& client, const Head& head) {
  auto caller = authenticate(client, head);
  if (!caller) {
    x.counters.unauthenticated.add();
    return make_refusal(RefusalKind::kUnauthenticated,
                        "this is not the key of an agent; `aispm agent create-key` makes one");
  }
  x.caller = std::move(*caller);
  x.proofs = read_proofs(head);
  x.wants_notices = head.find("x-aispm-events") == "approvals";
  // Codex takes response.incomplete for a broken connection: five attempts, and no answer.
  x.repeats_incomplete = head.find("originator").value_or(std::string_view{}).starts_with("codex");
  x.take_trace(head.find("traceparent").value_or(std::string_view{}));
  if (!x.services.cannot_record()) return {};
  x.counters.unrecorded_refusals.add();
  return make_refusal(
      RefusalKind::kUnrecorded,
      "exchanges cannot be recorded at the moment, and this gateway is told to record all");
}

Step parse(ExchangeState& x) {
  auto request = codec::parse_request(x.api, x.body);
  if (auto mended = request ? std::nullopt : codec::mend_surrogates(x.body)) {
    x.mended_body = std::move(*mended);
    x.body = x.mended_body;
    request = codec::parse_request(x.api, x.body);
  }
  if (!request) return refusal_for(request.error());
  x.request = std::move(*request);
  if (!x.route.model.empty()) {
    if (Step step = x.take_path(); step) return step;
  }
  x.choose_provider();
  if (x.services.traffic) plan_route(x);
  if (!x.plan || !x.plan->route)
    if (Step step = x.find_translation(); step) return step;
  if (x.provider) return {};
  const std::string dialect(name_of(x.route.dialect));
  std::string why = "no provider is configured for model '" + x.request.model +
                    "' that speaks this protocol; add one with `dialect: " + dialect +
                    "` to the gateway's configuration";
  if (translate::is_translatable(x.api))
    why += ", or `serves: [" + dialect + "]` to a provider of another protocol";
  return make_refusal(RefusalKind::kNotFound, std::move(why));
}

constexpr std::size_t kMaxQuestionBytes = 4096;
constexpr std::size_t kMaxModelBytes = 256;

// Names of Ollama's models have registries, folders and tags: "hf.co/user/model:Q4_K_M".
bool is_model_name(std::string_view name) {
  return !name.empty() && name.size() <= kMaxModelBytes &&
         name.find("..") == std::string_view::npos &&
         std::all_of(name.begin(), name.end(), [](char c) {
           return (c >= '0' && c <= '9') || (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') ||
                  c == '-' || c == '_' || c == '.' || c == ':' || c == '/' || c == '@';
         });
}

// POST /api/show: the name alone is sent on, so there is nothing to judge.
Step take_question(ExchangeState& x, std::string_view body) {
  codec::JsonTree tree;
  if (const auto read = tree.read(body, codec::kMaxJsonDepth); !read)
    return refusal_for(read.error());
  std::string_view name = tree.string_at(0, "model");
  if (name.empty()) name = tree.string_at(0, "name");  // what it was called at first
  if (!is_model_name(name))
    return make_refusal(RefusalKind::kBadRequest, "\"model\" is no name of a model");
  x.request.model = name;
  x.patched_body = R"({"model":)" + codec::json_string(name) + "}";
  return {};
}

// Of what is asked without a text: who may not speak may not look either.
Step check_access(ExchangeState& x) {
  const policy::Verdict access = x.context.book->policy->authorise(x.context.caller);
  if (access.applied != model::Outcome::kDeny) return {};
  x.counters.denied_requests.add();
  return x.deny(x.context.book->policy->to_decision(access));
}

Step scan(ExchangeState& x) {
  if (Step step = x.open_rules(); step) return step;
  const policy::Verdict access = x.context.book->policy->authorise(x.context.caller);
  strengthen(x.verdict, access);
  if (access.applied == model::Outcome::kDeny) return {};
  if (Step step = x.check_readable(); step) return step;
  auto scanned = scan_request(x.context, x.request);
  if (!scanned) return x.unscannable("the request", scanned.error().message);
  Step late = x.check_time("the request", scanned->findings);
  x.take_findings(std::move(scanned->findings));
  x.patches = std::move(scanned->patches);
  x.looks = std::move(scanned->looks);
  x.open_leaks();
  return late;
}

Step decide(ExchangeState& x) {
  if (x.verdict.applied == model::Outcome::kDeny) {
    x.counters.denied_requests.add();
    return x.deny(x.context.book->policy->to_decision(x.verdict));
  }
  if (auto sticky = x.find_sticky()) {
    x.counters.sticky_denials.add();
    return x.deny(std::move(*sticky));
  }
  return x.judge_prompt();
}

// Sends the request on and reads the head of the reply.
awaitable<Step> forward(ExchangeState& x, UpstreamReply& reply) {
  if (x.plan && x.plan->route) {
    Step step = co_await forward_along(x, reply);
    co_return step;
  }
  if (!x.provider->config().missing_key.empty())
    co_return x.upstream_refusal(
        fail(Errc::kUnavailable, x.provider->config().missing_key).value());
  if (Step step = x.address_provider(); step) co_return step;
  if (auto patched = x.patch_body(); !patched)
    co_return x.cannot_scan("the request", patched.error().message);
  if (Step step = x.translate_request(); step) co_return step;
  if (x.plan && take_kept_answer(x)) co_return Step{};
  x.write_request_head();
  x.work.pause();
  co_await x.worker.let_others_pass();
  const Limits& limits = x.services.config.limits;
  x.asked_at = net::Clock::now();
  auto answered = co_await ask_upstream(
      x.worker.context(), x.worker.watchdog(), *x.provider, x.worker.pool(*x.provider),
      {.head = x.request_head,
       .body = x.outgoing_body(),
       .method = "POST",
       .is_over = &x.is_stopped},
      {.connect = limits.upstream_connect, .silence = limits.upstream_reply}, &x.in_flight);
  x.work.go_on();
  if (!answered && x.opinions_deny()) co_return Step{};  // ended for that
  if (!answered) co_return x.upstream_refusal(answered.error());
  reply = std::move(*answered);
  co_return x.begin_reply(reply.head);
}

// Asks slower judges while the provider works; a denial of theirs ends the wait for its reply.
class AskedOpinions {
 public:
  explicit AskedOpinions(ExchangeState& x) : x_(x) {}
  ~AskedOpinions() {
    if (x_.opinions) x_.opinions->on_answer({});
  }
  AskedOpinions(const AskedOpinions&) = delete;
  AskedOpinions& operator=(const AskedOpinions&) = delete;

  void ask() {
    const bool classify =
        x_.context.inspect.layers[static_cast<std::size_t>(detect::Layer::kClassifier)];
    x_.opinions =
        Opinions::ask(x_.worker, {.request = x_.request, .looks = x_.looks, .classify = classify},
                      x_.context.bench);
    if (!x_.opinions) return;
    x_.opinions->on_answer([this] {
      if (!x_.opinions_deny()) return;
      x_.is_stopped = true;
      if (x_.in_flight) x_.in_flight->abort();
    });
  }

 private:
  ExchangeState& x_;
};

// Nothing of the reply leaves before everybody has spoken, where policy says so.
awaitable<Step> hear_opinions(ExchangeState& x) {
  if (!x.context.book->policy->waits_for_opinions()) co_return Step{};
  if (!x.opinions_deny()) (void)co_await x.opinions->wait();
  co_return x.take_opinions(true);
}

}  // namespace

net::Task<bool> run_exchange(Client& client, const Head& head, Route route) {
  const Worker::Turn turn(client.worker());
  ExchangeState x(client, head, route);
  const DisconnectGuard guard(x);

  Step step = identify(x, client, head);
  if (!step) {
    append_request_headers(route.dialect, head.headers, x.forwarded_headers);
    x.work.pause();
    auto body = co_await client.read_decoded_body(head, x.services.config.limits.body_bytes);
    x.work.go_on();
    if (body) {
      x.body = *body;
      x.body_read = true;
    } else {
      step = refusal_for(body.error());
    }
  }
  if (!step && x.services.use.rates) step = x.take_rate();
  if (!step) step = parse(x);
  if (!step && x.services.config.use.prompt_bytes != 0) step = x.check_prompt_bytes();
  if (!step && x.services.use.models) {
    const WorkWatch::Pause waits(x.work);
    step = co_await x.check_model();
  }
  if (!step) step = x.watch_freezes();
  if (!step) step = scan(x);
  if (!step) step = decide(x);
  if (!step && x.gate) {
    const WorkWatch::Pause waits(x.work);
    step = co_await x.settle_actions();
  }
  if (!step && (x.services.use.budgets || x.gate)) step = x.reserve_use();

  UpstreamReply reply;
  AskedOpinions asked(x);
  if (!step) {
    asked.ask();
    step = co_await forward(x, reply);
    x.work.pause();
    if (x.opinions) {
      Step heard = co_await hear_opinions(x);
      if (heard) step = std::move(heard);
    }
    if (x.frozen) step = x.frozen_refusal();
  }
  x.work.go_on();
  if (!step) step = x.open_reply();
  if (!step) {
    // Two statements: GCC 12 copies the temporaries of a conditional co_await bit by bit.
    if (x.reply_streams)
      step = co_await relay_stream(x, client, reply);
    else
      step = co_await relay_whole(x, client, reply);
  }
  x.work.pause();
  if (step) {
    x.note_refusal(*step);
    const auto told = co_await client.refuse(route.dialect, *step, x.may_keep_alive());
    if (!told) x.client_left();
    if (told && !x.body_read) (void)co_await client.linger();
  }
  if (x.opinions && !x.heard) {
    (void)co_await x.opinions->wait();
    (void)x.take_opinions(false);
  }
  co_await x.worker.let_others_pass();
  x.work.go_on();
  x.record();
  const bool keep = x.may_keep_alive();
  client.finish_request();
  co_return keep;
}

awaitable<bool> list_models(Client& client, const Head& head, const Route& route) {
  ExchangeState x(client, head, route);
  const DisconnectGuard guard(x);
  Step step = identify(x, client, head);
  const bool is_question = head.method == "POST";
  if (!step && !is_question && head.body != codec::http1::BodyKind::kNone)
    step = make_refusal(RefusalKind::kBadRequest, "a GET with a body");
  UpstreamReply reply;
  if (!step) append_request_headers(route.dialect, head.headers, x.forwarded_headers);
  if (!step && is_question) {
    const auto body = co_await client.read_body(head, kMaxQuestionBytes);
    x.body_read = body.has_value();
    step = body ? take_question(x, *body) : refusal_for(body.error());
  }
  if (!step) {
    x.choose_provider();
    if (!x.provider)
      step = make_refusal(
          RefusalKind::kNotFound,
          "no provider with `dialect: " + std::string(name_of(route.dialect)) + "` is configured");
  }
  if (!step) step = x.watch_freezes();
  if (!step) step = x.open_rules();
  if (!step) step = check_access(x);
  if (!step) step = x.address_provider();
  if (!step) {
    if (!is_question) (void)co_await client.read_body(head, 0);
    x.body_read = true;
    x.write_request_head();
    const Limits& limits = x.services.config.limits;
    auto answered = co_await ask_upstream(
        x.worker.context(), x.worker.watchdog(), *x.provider, x.worker.pool(*x.provider),
        {.head = x.request_head,
         .body = x.patched_body,
         .method = is_question ? "POST" : "GET",
         .is_over = &x.is_stopped},
        {.connect = limits.upstream_connect, .silence = limits.upstream_reply}, &x.in_flight);
    if (answered) {
      reply = std::move(*answered);
      x.note_reply_head(reply.head);
      step = co_await relay_whole(x, client, reply);
    } else {
      step = x.upstream_refusal(answered.error());
    }
  }
  if (step) {
    const auto told = co_await client.refuse(route.dialect, *step, x.may_keep_alive());
    if (told && !x.body_read) (void)co_await client.linger();
  }
  client.finish_request();
  co_return x.may_keep_alive();
}

std::optional<Caller> authenticate(Client& client, const Head& head) {
  if (client.entrance == Entrance::kRelayed) return client.caller;
  if (client.entrance == Entrance::kRun) return std::nullopt;
  const auto identity = client.worker().services().keys.find(presented_key(head));
  if (!identity) return std::nullopt;
  Caller caller{
      .agent_id = identity->agent_id, .session_id = {}, .tenant = identity->tenant, .trace_id = {}};
  const std::string_view session = head.find("x-aispm-session").value_or(std::string_view{});
  if (net::is_uuid(session)) caller.session_id = session;
  return caller;
}

Refusal refusal_for(const Error& error) {
  switch (error.code) {
    case Errc::kTooLarge:
      return make_refusal(RefusalKind::kTooLarge, error.message);
    case Errc::kUnsupported:
      return make_refusal(RefusalKind::kEncoding, error.message);
    case Errc::kDeadlineExceeded:
      return make_refusal(RefusalKind::kTimeout, "the request did not arrive in time");
    case Errc::kDenied:
      return make_refusal(RefusalKind::kBadRequest, error.message);
    default:
      return make_refusal(RefusalKind::kBadRequest, error.message);
  }
}

}  // namespace aispm::gateway
