// SPDX-License-Identifier: Apache-2.0
#include "gateway/proxy/traffic/shadow.hpp"

#include <algorithm>
#include <boost/asio/post.hpp>

#include "gateway/proxy/limits/model_gate.hpp"
#include "gateway/proxy/pipeline/stream_relay.hpp"
#include "gateway/proxy/providers/upstream.hpp"
#include "gateway/proxy/traffic/arm_record.hpp"
#include "gateway/proxy/worker.hpp"
#include "sdk/core/common/id.hpp"

namespace aispm::gateway {

using net::Task;
using net::asio::awaitable;

namespace {

std::uint64_t microseconds_since(net::Clock::time_point start) {
  return static_cast<std::uint64_t>(std::max<std::int64_t>(
      0, std::chrono::duration_cast<std::chrono::microseconds>(net::Clock::now() - start).count()));
}

void take_usage(model::LlmCall& call, const std::optional<codec::Usage>& usage) {
  if (!usage) return;
  call.input_tokens = usage->input_tokens;
  call.output_tokens = usage->output_tokens;
}

// The rules in force, for the reply of this provider and model. Views into `shadow`.
Result<ScanContext> open_context(ShadowCall& shadow) {
  AISPM_TRY(
      ScanContext context,
      shadow.worker.open_rules(shadow.caller.tenant, {.agent = shadow.caller.agent_id,
                                                      .provider = shadow.provider->config().name,
                                                      .model = shadow.model}));
  context.hash_key = &shadow.worker.services().hash_key;
  return context;
}

Result<> take_whole(ShadowCall& shadow, std::string_view bytes) {
  model::LlmCall& call = shadow.call;
  call.response_bytes = bytes.size();
  AISPM_TRY(const codec::LlmReply reply, codec::parse_reply(shadow.api, bytes));
  call.response_id = reply.id;
  call.response_model = reply.model;
  call.finish_reason = reply.finish_reason;
  call.reply_sha256 = codec::reply_sha256(reply);
  take_usage(call, reply.usage);
  for (const codec::ToolCall& tool : reply.tool_calls) call.tools_called.push_back(tool.name);
  AISPM_TRY(const ScanContext context, open_context(shadow));
  AISPM_TRY(ReplyScan scanned, scan_reply(context, shadow.api, reply));
  shadow.detections = std::move(scanned.findings.detections);
  return {};
}

Task<> read_whole(ShadowCall& shadow, UpstreamReply& reply) {
  Upstream& upstream = *reply.upstream;
  const codec::http1::Head head = reply.head;
  upstream.input.consume(head.size_bytes);
  std::string spill;
  AISPM_CO_TRY(
      const WholeBody whole,
      co_await read_whole_body(*upstream.stream, upstream.input, head.body, head.content_length,
                               shadow.worker.services().config.limits.reply_bytes, spill));
  AISPM_CO_CHECK(take_whole(shadow, whole.bytes));
  upstream.input.consume(whole.in_place_bytes);
  if (head.keep_alive && head.body != codec::http1::BodyKind::kUntilClose)
    shadow.worker.pool(*shadow.provider).put(std::move(reply.upstream));
  co_return Result<>{};
}

void take_stream(ShadowCall& shadow, const StreamRelay& relay) {
  model::LlmCall& call = shadow.call;
  const codec::StreamReply& said = relay.reply();
  call.response_id = said.id();
  call.response_model = said.model();
  call.finish_reason = said.finish_reason();
  call.reply_sha256 = said.sha256();
  call.partial = relay.state() != StreamRelay::State::kEnded || said.is_cut();
  take_usage(call, said.usage());
  for (const codec::ToolCall& tool : said.tool_calls()) call.tools_called.push_back(tool.name);
  shadow.detections = relay.findings().detections;
}

// What the relay would send on goes nowhere.
Task<> read_stream(ShadowCall& shadow, UpstreamReply& reply, codec::Framing framing) {
  AISPM_CO_TRY(const ScanContext context, open_context(shadow));
  Upstream& upstream = *reply.upstream;
  codec::http1::BodyReader reader(reply.head);
  upstream.input.consume(reply.head.size_bytes);
  StreamRelay::Options options;
  options.api = shadow.api;
  options.framing = framing;
  options.model = shadow.model;
  StreamRelay relay(context, std::move(options));
  std::string unsent;
  std::string broken;
  const std::size_t limit = shadow.worker.services().config.limits.reply_bytes;
  while (!reader.done() && relay.state() == StreamRelay::State::kRunning) {
    auto slice = reader.next(upstream.input.view());
    if (!slice) co_return fail(std::move(slice).error());
    shadow.call.response_bytes += slice->data.size();
    if (shadow.call.response_bytes > limit)
      co_return fail(Errc::kTooLarge, "a reply larger than " + std::to_string(limit) + " bytes");
    relay.feed(slice->data, unsent);
    unsent.clear();
    upstream.input.consume(slice->consumed);
    if (slice->consumed > 0) continue;
    AISPM_CO_TRY(const bool more, co_await read_more(*upstream.stream, upstream.input, 4096));
    if (more) continue;
    if (auto ended = reader.finish(); !ended) broken = ended.error().message;
    break;
  }
  relay.finish(unsent, broken);
  take_stream(shadow, relay);
  if (relay.state() == StreamRelay::State::kBroken)
    co_return fail(Errc::kInvalid, "its reply broke off: " + relay.failure());
  co_return Result<>{};
}

// Whether the registry of `model_gate` approves its model.
Task<> check_model(ShadowCall& shadow) {
  const auto& models = shadow.worker.services().use.models;
  if (!models || models->registry() == nullptr) co_return Result<>{};
  co_return co_await ask_registry(shadow.worker, *models, shadow.model);
}

Task<> ask(ShadowCall& shadow) {
  Worker& worker = shadow.worker;
  const auto limit = worker.services().traffic->config().shadow.deadline;
  const UpstreamRequest request{
      .head = shadow.head, .body = shadow.body, .method = "POST", .is_over = &shadow.is_stopped};
  const UpstreamLimits waits{
      .connect = std::min(worker.services().config.limits.upstream_connect, limit),
      .silence = limit};
  AISPM_CO_TRY(
      UpstreamReply reply,
      co_await ask_upstream(worker.context(), worker.watchdog(), *shadow.provider,
                            worker.pool(*shadow.provider), request, waits, &shadow.in_flight));
  shadow.in_flight = reply.upstream->stream.get();
  const codec::http1::Head& head = reply.head;
  shadow.call.first_byte_us = microseconds_since(shadow.started);
  shadow.call.status = static_cast<std::uint32_t>(head.status);
  const bool is_plain =
      head.content_encoding.empty() || codec::http1::equal_name(head.content_encoding, "identity");
  std::optional<codec::Framing> framing;
  if (head.status == 200)
    framing = codec::find_framing(shadow.api, head.content_type, shadow.streams);
  Result<> read;
  if (!is_plain)
    read = fail(Errc::kInvalid, "answered with Content-Encoding though asked not to");
  else if (framing)
    read = co_await read_stream(shadow, reply, *framing);
  else
    read = co_await read_whole(shadow, reply);
  shadow.in_flight = nullptr;
  co_return read;
}

void record(ShadowCall& shadow, const Result<>& done) {
  model::LlmCall& call = shadow.call;
  call.duration_us = microseconds_since(shadow.started);
  const std::string& name = shadow.provider->config().name;
  if (!done) call.failed_attempts.push_back(name + ": " + done.error().message);
  const bool has_failed = !done || call.status >= 400;
  if (has_failed) shadow.worker.counters().shadows_failed.add();
  add_call(shadow.arm.figures, call,
           {.has_failed = has_failed, .is_flagged = !shadow.detections.empty()});
  model::Event event;
  event.id = make_uuid();
  event.time = shadow.started_wall;
  event.tenant = shadow.caller.tenant;
  event.host_id = shadow.worker.services().host_id;
  event.agent_id = shadow.caller.agent_id;
  event.session_id = shadow.caller.session_id;
  event.trace_id = shadow.trace_id;
  event.span_id = make_span_id();
  event.parent_span_id = shadow.parent_span_id;
  event.source = model::Source::kGateway;
  event.detections = std::move(shadow.detections);
  event.body = std::move(call);
  shadow.worker.record(std::move(event));
}

}  // namespace

awaitable<void> run_shadow(std::shared_ptr<ShadowCall> shadow) {
  Worker& worker = shadow->worker;
  // The exchange goes first.
  co_await net::asio::post(worker.context(), net::asio::use_awaitable);
  const FreezeList::Entry freezable(worker.freezes(), shadow->caller.freeze_key(shadow->model),
                                    [&call = *shadow](const policy::Freeze* freeze) {
                                      if (freeze == nullptr) return;
                                      call.is_stopped = true;
                                      if (call.in_flight != nullptr) call.in_flight->abort();
                                    });
  const auto limit = worker.services().traffic->config().shadow.deadline;
  if (co_await net::with_deadline(check_model(*shadow), limit)) {
    worker.counters().shadows.add();
    const Result<> done = co_await net::with_deadline(ask(*shadow), limit);
    record(*shadow, done);
  } else {
    worker.counters().shadows_skipped.add();
  }
  worker.services().traffic->leave_shadow(shadow->held_bytes);
  worker.counters().shadows_open.subtract();
}

}  // namespace aispm::gateway
