// SPDX-License-Identifier: Apache-2.0
#include "gateway/proxy/exchange_state.hpp"

#include <functional>

#include "gateway/mcp/asked_link.hpp"
#include "gateway/proxy/decide/chain_freezes.hpp"
#include "gateway/proxy/exchange_modules.hpp"
#include "gateway/proxy/header_policy.hpp"
#include "gateway/proxy/observe/head_rules.hpp"
#include "gateway/proxy/pipeline/explain.hpp"
#include "gateway/proxy/traffic/route_plan.hpp"
#include "gateway/proxy/translate/translation.hpp"
#include "sdk/core/common/id.hpp"

namespace aispm::gateway {

using codec::http1::Head;
using model::Outcome;

namespace {

void mix(std::uint64_t& hash, std::string_view text) {
  hash ^= std::hash<std::string_view>{}(text) + 0x9e3779b97f4a7c15ULL + (hash << 6U) + (hash >> 2U);
}

// What programs read of a denial.
std::shared_ptr<const BlockFacts> describe_block(const ExchangeState& x,
                                                 const model::Decision& denial) {
  std::vector<model::Detection> deciding;
  if (x.context.book)
    for (const model::Detection& detection : x.detections) {
      const auto direction = detection.surface == detect::name_of(detect::Surface::kReply)
                                 ? policy::Direction::kReply
                                 : policy::Direction::kRequest;
      const Outcome applied = verdict_on(x.context, direction, detection).applied;
      if (applied == Outcome::kDeny || applied == Outcome::kRedact) deciding.push_back(detection);
    }
  // Of what is only cut out nothing is told where something else denies.
  auto facts = std::make_shared<BlockFacts>(read_block(denial.rule_id, deciding));
  facts->session_id = x.caller.session_id;
  facts->correlation_id = x.client.correlation.empty() ? x.trace_id : x.client.correlation;
  return facts;
}

}  // namespace

ExchangeState::ExchangeState(Client& from, const Head& head, const Route& found)
    : client(from),
      worker(from.worker()),
      services(worker.services()),
      counters(worker.counters()),
      route(found),
      target(head.target),
      api(found.api),
      keep_alive(head.keep_alive),
      chunked_replies(head.minor_version >= 1) {
  counters.exchanges.add();
  if (worker.measures_work()) work.start();
  // The head's bytes are gone once the body is read. What is not within them stays.
  for (std::string_view* const view : {&route.path, &route.query, &route.model}) {
    const std::less_equal<const char*> precedes;
    const char* const begin = head.target.data();
    if (precedes(begin, view->data()) &&
        precedes(view->data() + view->size(), begin + head.target.size()))
      *view = std::string_view(target).substr(static_cast<std::size_t>(view->data() - begin),
                                              view->size());
  }
  host = std::string(head.host.substr(0, 256));
}

ExchangeState::~ExchangeState() = default;

void ExchangeState::take_trace(std::string_view traceparent) {
  TraceParent parent;
  if (parse_traceparent(traceparent, parent)) {
    trace_id = parent.trace_id;
    parent_span_id = parent.parent_id;
  } else {
    trace_id = !caller.trace_id.empty()      ? caller.trace_id
               : !client.correlation.empty() ? trace_of_correlation(client.correlation)
                                             : make_trace_id();
  }
  span_id = make_span_id();
  event_id = make_uuid();
}

void ExchangeState::choose_provider() {
  providers = services.providers.current();
  std::size_t index = 0;
  provider = providers->choose(route.dialect, request.model, index);
}

Step ExchangeState::take_path() {
  if (route.dialect == Dialect::kOpenAi) {
    // Azure goes by the deployment, whatever the body says: SDKs are given both names.
    std::string named = model_in_path(route.model);
    names_anew = request.model_span.empty() || request.model != named;
    request.model = std::move(named);
    return {};
  }
  if (!request.model.empty() && request.model != route.model)
    return make_refusal(RefusalKind::kBadRequest, "the body names another model than the path");
  request.model = route.model;
  request.stream = route.streams;
  return {};
}

Step ExchangeState::open_rules() {
  auto opened = worker.open_rules(
      caller.tenant,
      {.agent = caller.agent_id, .provider = provider->config().name, .model = model_sent()});
  if (!opened) return make_refusal(RefusalKind::kNotReady, opened.error().message);
  context = std::move(*opened);
  context.hash_key = &services.hash_key;
  context.keeps_looks = services.semantic || !services.voters.empty();
  const policy::Policy& policy = *context.book->policy;
  if (policy.uses_placeholders()) {
    placeholders = services.placeholders.of(caller.tenant, caller.agent_id, caller.session_id,
                                            policy.keeps_vault(), net::Clock::now());
    context.redactor = placeholders.get();
    context.reply_redactor = &placeholders->for_replies();
    if (policy.keeps_vault()) context.vault = placeholders;
  }
  take_pii_of_request(*this, context);
  return {};
}

void ExchangeState::take_findings(Findings findings) {
  strengthen(verdict, findings.verdict);
  redacted = redacted || findings.redactions > 0;
  if (detections.empty()) {
    detections = std::move(findings.detections);
  } else {
    detections.insert(detections.end(), std::make_move_iterator(findings.detections.begin()),
                      std::make_move_iterator(findings.detections.end()));
  }
}

Refusal ExchangeState::deny(model::Decision denial) {
  denial.outcome = Outcome::kDeny;
  if (denial.case_id.empty()) denial.case_id = event_id;
  std::string message =
      "AISPM: denied by rule " + (denial.rule_id.empty() ? std::string("(none)") : denial.rule_id);
  if (!denial.reason.empty()) message += ": " + denial.reason;
  message += ", case " + denial.case_id;
  Refusal refusal{.kind = RefusalKind::kPolicy,
                  .message = std::move(message),
                  .decision = "deny",
                  .case_id = denial.case_id,
                  .blocked = describe_block(*this, denial)};
  decision = std::move(denial);
  return refusal;
}

// What was asked, however it was written down and whether or not it streams: what a client repeats
// when it tries again.
std::string ExchangeState::request_key() const {
  if (remainder_) return remainder_->key;
  std::uint64_t hash = static_cast<std::uint64_t>(api) + request.parts.size();
  std::uint64_t bytes = 0;
  mix(hash, request.model);
  // What other rules said is no answer.
  if (context.book) mix(hash, context.book->policy->version());
  if (const auto& enforced = context.policies.enforced) {
    mix(hash, enforced->id);
    mix(hash, enforced->version());
  }
  for (const codec::TextPart& part : request.parts) {
    mix(hash, part.text);
    mix(hash, codec::name_of(part.surface));
    bytes += part.text.size();
  }
  return std::to_string(hash) + ":" + std::to_string(bytes);
}

std::optional<model::Decision> ExchangeState::find_sticky() {
  if (services.sticky.empty()) return std::nullopt;
  return services.sticky.find(caller.key(), request_key(), net::Clock::now());
}

void ExchangeState::hear_freeze(const policy::Freeze& freeze) {
  if (frozen) return;
  counters.frozen.add();
  frozen = std::make_unique<model::Decision>();
  frozen->outcome = Outcome::kKillSwitch;
  frozen->mode = "enforce";
  frozen->rule_id = "freeze." + freeze.id;
  frozen->reason = freeze.reason;
  frozen->case_id = event_id;
  is_stopped = true;
  if (in_flight) in_flight->abort();
  if (settling) settling->cut(Outcome::kKillSwitch, frozen->reason);
}

std::function<void(const policy::Freeze*)> ExchangeState::freeze_ear() {
  return hear_for_chain(worker.freezes(), proofs.delegation, [this](const policy::Freeze* freeze) {
    if (freeze) hear_freeze(*freeze);
  });
}

void ExchangeState::find_freeze_on(const FreezeKey& key) {
  const auto book = services.freezes.load();
  if (const auto* freeze = key.find(*book, wall_now())) hear_freeze(*freeze);
}

Step ExchangeState::watch_freezes() {
  freezable.emplace(worker.freezes(), caller.freeze_key(request.model), freeze_ear());
  find_freeze_on(freezable->key());
  if (!sent_model.empty()) {
    sent_freezable = std::make_unique<FreezeList::Entry>(
        worker.freezes(), caller.freeze_key(sent_model), freeze_ear());
    find_freeze_on(sent_freezable->key());
  }
  return frozen_refusal();
}

Step ExchangeState::frozen_refusal() {
  if (!frozen) return {};
  decision = *frozen;
  return Refusal{.kind = RefusalKind::kFrozen,
                 .message = "AISPM: an operator has stopped this: " + frozen->reason,
                 .decision = "kill_switch",
                 .case_id = event_id};
}

Refusal ExchangeState::upstream_refusal(const Error& error) {
  if (auto cut = frozen_refusal()) return std::move(*cut);
  // Cut for that: it says nothing of the provider.
  if (client_gone)
    return make_refusal(RefusalKind::kClientGone,
                        "the client closed its connection before there was an answer");
  counters.upstream_failures.add();
  provider->note_failure(error.message);
  if (plan) note_broken_reply(*this);
  const bool late = error.code == Errc::kDeadlineExceeded;
  return {.kind = late ? RefusalKind::kUpstreamTimeout : RefusalKind::kUpstream,
          .message = "AISPM: provider " + provider->config().name + " (" + provider->authority() +
                     "): " + error.message,
          .decision = {},
          .case_id = {}};
}

Result<> ExchangeState::patch_body() {
  if (auto asks = codec::include_usage_patch(request, body)) {
    strip_usage = true;
    patches.push_back(std::move(*asks));
  }
  if (!services.config.provider_history)
    if (auto keep_nothing = codec::no_store_patch(request, body))
      patches.push_back(std::move(*keep_nothing));
  name_model();
  if (!patches.empty()) {
    AISPM_TRY(patched_body, codec::apply_patches(body, patches));
  }
  if (service_call) return adapt_body();
  return {};
}

void ExchangeState::write_request_head() {
  const bool has_body = route.kind == RouteKind::kLlm || !patched_body.empty();
  request_head.reserve(512 + forwarded_headers.size());
  request_head.append(has_body ? "POST " : "GET ");
  if (service_call)
    request_head.append(service_call->target);
  else if (translation)
    request_head.append(translation->path()).append(translation->query());
  else
    request_head.append(route.path).append(route.query);
  request_head.append(" HTTP/1.1\r\n").append(provider->request_lines());
  if (service_call)
    write_service_lines();
  else
    request_head.append(forwarded_headers);
  request_head.append("accept: */*\r\naccept-encoding: identity\r\nuser-agent: aispm-gateway\r\n");
  if (services.config.observe.propagate_trace && !trace_id.empty()) {
    request_head.append("traceparent: 00-").append(trace_id).append("-").append(span_id);
    request_head.append("-01\r\n");
    if (!client.correlation.empty())
      request_head.append("x-correlation-id: ").append(client.correlation).append("\r\n");
  }
  if (has_body)
    request_head.append("content-type: application/json\r\ncontent-length: ")
        .append(std::to_string(outgoing_body().size()))
        .append("\r\n");
  request_head.append("\r\n");
}

void ExchangeState::note_reply_head(const Head& head) {
  status = upstream_status = head.status;
  if (head.status == 200 && route.kind == RouteKind::kLlm && is_written(api))
    framing = translation ? translation->open_reply(head.content_type, request.stream)
                          : codec::find_framing(api, head.content_type, request.stream);
  reply_streams = framing.has_value();
  if (translation)
    append_translated_headers(head);
  else
    append_reply_headers(head.headers, reply_headers);
  if (service_call) adapt_reply_head(head);
  first_byte = net::Clock::now();
}

Step ExchangeState::begin_reply(const Head& head) {
  provider->note_success();
  note_reply_head(head);
  if (plan && plan->route)
    reply_headers.append("x-aispm-provider: ").append(provider->config().name).append("\r\n");
  if (head.content_encoding.empty() || codec::http1::equal_name(head.content_encoding, "identity"))
    return {};
  return upstream_refusal(
      fail(Errc::kInvalid, "answered with Content-Encoding though asked not to").value());
}

void ExchangeState::write_reply_head(std::size_t body_bytes) {
  reply_head.reserve(256 + reply_headers.size());
  reply_head.append("HTTP/1.1 ")
      .append(std::to_string(status))
      .append(status == 200 ? " OK\r\n" : " \r\n")
      .append(reply_headers);
  if (redacted)
    reply_head.append("x-aispm-decision: redact\r\nx-aispm-case: ").append(event_id).append("\r\n");
  reply_head.append("content-length: ").append(std::to_string(body_bytes));
  reply_head.append(may_keep_alive() ? "\r\nconnection: keep-alive\r\n\r\n"
                                     : "\r\nconnection: close\r\n\r\n");
}

void ExchangeState::write_stream_head() {
  reply_head.append("HTTP/1.1 200 OK\r\n")
      .append(reply_headers)
      .append("x-accel-buffering: no\r\n");
  if (redacted)
    reply_head.append("x-aispm-decision: redact\r\nx-aispm-case: ").append(event_id).append("\r\n");
  if (chunked_replies) {
    reply_head.append("transfer-encoding: chunked\r\n");
  } else {
    keep_alive = false;
  }
  reply_head.append(may_keep_alive() ? "connection: keep-alive\r\n\r\n"
                                     : "connection: close\r\n\r\n");
}

StreamRelay::Options ExchangeState::relay_options() {
  return {.api = api,
          .framing = framing.value_or(codec::Framing::kSse),
          .strip_usage = strip_usage,
          .case_id = event_id,
          .model = request.model,
          .now = started_wall.nanoseconds / 1'000'000'000,
          .ends_complete = repeats_incomplete,
          .gate = gate.get(),
          .on_call = hear_asked(*this)};
}

net::Task<> ExchangeState::send_stream(Client& to, std::string_view bytes) {
  if (bytes.empty()) co_return Result<>{};
  response_bytes += bytes.size();
  if (chunked_replies) co_return co_await to.send_chunk(bytes);
  co_return co_await to.send(bytes);
}

Result<> ExchangeState::send_stream_now(Client& to, std::string_view bytes, std::string& rest) {
  response_bytes += bytes.size();
  return to.send_piece_now(bytes, chunked_replies, rest);
}

net::Task<> ExchangeState::end_stream(Client& to) {
  if (!chunked_replies) co_return Result<>{};
  co_return co_await to.send("0\r\n\r\n");
}

void ExchangeState::client_left() {
  broken = true;
  if (!std::exchange(client_gone, true)) counters.client_gone.add();
}

bool ExchangeState::may_keep_alive() const {
  return keep_alive && body_read && !broken && !worker.stopping();
}

}  // namespace aispm::gateway
