// SPDX-License-Identifier: Apache-2.0
// The judging and recording half of ExchangeState: what a reply says, and the event that remains of
// the exchange.
#include <algorithm>
#include <chrono>

#include "gateway/proxy/decide/action_record.hpp"
#include "gateway/proxy/exchange_state.hpp"
#include "gateway/proxy/limits/price_table.hpp"
#include "gateway/proxy/observe/observatory.hpp"
#include "gateway/proxy/pipeline/text_judge.hpp"
#include "gateway/proxy/traffic/route_plan.hpp"
#include "sdk/core/common/crypto.hpp"
#include "sdk/core/common/id.hpp"
#include "sdk/core/common/utf8.hpp"

namespace aispm::gateway {

using model::Outcome;

namespace {

// Of prompt and reply each. The collector refuses events with more than twice as much; hashes and
// sizes are those of the whole.
constexpr std::size_t kMaxRecordedTextBytes = 256U << 10;

std::uint64_t microseconds(net::Clock::duration time) {
  return static_cast<std::uint64_t>(std::max<std::int64_t>(
      0, std::chrono::duration_cast<std::chrono::microseconds>(time).count()));
}

void fill_tools(model::LlmCall& call, const std::vector<codec::ToolCall>& tools) {
  for (const codec::ToolCall& tool : tools) call.tools_called.push_back(tool.name);
}

}  // namespace

Step ExchangeState::judge_whole(std::string_view reply) {
  if (route.kind != RouteKind::kLlm) return judge_raw(reply);
  auto parsed = codec::parse_reply(api, reply);
  if (!parsed) {
    if (status >= 400) {  // a proxy's HTML page, say: its words stay here, its status counts
      Refusal refusal = upstream_refusal(
          fail(Errc::kInvalid, "answered " + std::to_string(status) + " without a JSON body")
              .value());
      return refusal;
    }
    return upstream_refusal(
        fail(Errc::kInvalid, "answered something that is no reply: " + parsed.error().message)
            .value());
  }
  if (parsed->has_odd_call)
    return cannot_scan("the reply", "a tool call comes in a form that cannot be followed");
  call().response_id = parsed->id;
  call().response_model = parsed->model;
  call().finish_reason = parsed->finish_reason;
  usage = parsed->usage;
  for (const codec::ReplyText& text : parsed->texts) reply_text_bytes += text.text.size();
  fill_tools(call(), parsed->tool_calls);
  call().reply_sha256 = codec::reply_sha256(*parsed);
  auto scanned = scan_reply(context, api, *parsed);
  if (!scanned) {
    if (Step step = unscannable("the reply", scanned.error().message); step) return step;
    scanned.emplace();  // what it asks for is judged all the same
  }
  const bool denied = scanned->findings.denied();
  close_reply(scanned->findings);
  auto late = check_time("the reply", scanned->findings);
  take_findings(std::move(scanned->findings));
  if (late) return late;
  if (denied) {
    counters.denied_replies.add();
    auto refusal = deny(context.book->policy->to_decision(verdict));
    services.sticky.remember(caller.key(), request_key(), *decision, net::Clock::now());
    return refusal;
  }
  if (!scanned->patches.empty()) {
    auto patched = codec::apply_patches(reply, std::move(scanned->patches));
    if (!patched) return cannot_scan("the reply", patched.error().message);
    reply_patched = std::move(*patched);
  }
  if (context.book->policy->store_text()) {
    if (reply_patched.empty()) {
      call().reply_text = codec::reply_text(*parsed);
    } else if (auto again = codec::parse_reply(api, reply_patched)) {
      call().reply_text = codec::reply_text(*again);
    }
  }
  if (context.vault && context.vault->can_restore()) {
    const std::string clean = std::move(reply_patched);
    reply_patched.clear();
    auto restored = restore_placeholders(clean.empty() ? reply : std::string_view(clean));
    if (!restored) return cannot_scan("the reply", restored.error().message);
    if (reply_patched.empty()) reply_patched = clean;
  }
  if (!gate || parsed->tool_calls.empty()) return {};
  return judge_actions(reply_patched.empty() ? reply : std::string_view(reply_patched));
}

// Turns the session's placeholders in the reply back into what they stand for: into
// `reply_patched`, which stays empty when there are none.
Result<> ExchangeState::restore_placeholders(std::string_view reply) {
  AISPM_TRY(const codec::LlmReply parsed, codec::parse_reply(api, reply));
  std::vector<codec::JsonPatch> back;
  std::string text;
  for (const codec::ReplyText& part : parsed.texts) {
    if (part.is_key || is_sealed(api, part.channel.kind) ||
        part.text.find('<') == std::string_view::npos)
      continue;
    // OpenAI's arguments are a JSON text in a string, others' are JSON themselves.
    const bool into_json = std::any_of(
        parsed.tool_calls.begin(), parsed.tool_calls.end(), [&](const codec::ToolCall& asked) {
          return asked.channel == part.channel && asked.arguments_are_text;
        });
    text.clear();
    const std::size_t count = context.vault->restore(part.text, into_json, text);
    if (count == 0) continue;
    counters.restored.add(count);
    back.push_back(codec::string_patch(part.span, text));
  }
  if (back.empty()) return {};
  for (const codec::JsonSpan& span : parsed.logprobs) back.push_back({span, "null"});
  AISPM_TRY(reply_patched, codec::apply_patches(reply, std::move(back)));
  return {};
}

// A reply that is no model's answer: all of it is one text, and nothing can be cut out of it.
Step ExchangeState::judge_raw(std::string_view reply) {
  Findings findings;
  TextJudge judge(context, policy::Direction::kReply, findings);
  auto judged = judge.judge(reply, {.surface = detect::Surface::kReply,
                                    .outcomes = &context.tables->of_reply(detect::Surface::kReply),
                                    .classify = false,
                                    .editable = false});
  if (!judged) return unscannable("the reply", judged.error().message);
  if (!judged->denied) return check_time("the reply", findings);
  counters.denied_replies.add();
  return upstream_refusal(
      fail(Errc::kDenied, "its reply is denied by rule " + std::string(findings.verdict.rule_id))
          .value());
}

void ExchangeState::finish_stream(const StreamRelay& relay, StreamRelay::State state) {
  const codec::StreamReply& reply = relay.reply();
  call().response_id = reply.id();
  call().response_model = reply.model();
  call().finish_reason = reply.finish_reason();
  usage = reply.usage();
  reply_text_bytes = reply.kept_bytes();
  reply_cut = state != StreamRelay::State::kEnded;
  fill_tools(call(), reply.tool_calls());
  call().reply_sha256 = reply.sha256();
  call().partial = state != StreamRelay::State::kEnded || reply.is_cut();
  if (context.book->policy->store_text()) call().reply_text = relay.released_text();
  counters.restored.add(relay.restored());
  counters.inspections_late.add(relay.findings().late);
  counters.inspections_cut.add(relay.findings().cut);
  close_reply(relay.findings());
  take_findings(relay.findings());
  watch_stream(reply);
  if (frozen_refusal()) return;
  if (state == StreamRelay::State::kBroken && !client_gone) {
    counters.upstream_failures.add();
    provider->note_failure(relay.failure());
    if (plan) note_broken_reply(*this);
  }
  if (state != StreamRelay::State::kBlocked) return;
  counters.denied_replies.add();
  if (const auto denied = relay.denied_action()) {
    const JudgedAction& action = gate->actions()[*denied];
    (void)deny_action(action, action.is_recorded ? last_settled : settled_of(action));
    return;  // asked again, it is judged again
  }
  // What could not be read or took too long may go well another time, as a whole reply for one:
  // that is judged by itself.
  if (!relay.failure().empty()) {
    (void)cannot_scan("the reply", relay.failure());
    return;
  }
  (void)deny(context.book->policy->to_decision(verdict));
  services.sticky.remember(caller.key(), request_key(), *decision, net::Clock::now());
}

void ExchangeState::note_refusal(const Refusal& refusal) {
  status = status_of(refusal.kind, route.dialect);
  switch (refusal.kind) {
    case RefusalKind::kBadRequest:
    case RefusalKind::kTooLarge:
    case RefusalKind::kEncoding:
    case RefusalKind::kTimeout:
      counters.bad_requests.add();
      break;
    case RefusalKind::kNotFound:
      counters.not_found.add();
      break;
    default:
      break;
  }
  if (!body_read) broken = true;
}

void ExchangeState::fill_request(model::LlmCall& to) const {
  to.provider = provider ? provider->event_name() : std::string(name_of(route.dialect));
  to.api = std::string(codec::name_of(api));
  to.host = provider ? provider->authority() : host;
  if (provider) to.upstream = provider->config().name;
  to.request_model = request.model;
  to.stream = request.stream;
  to.status = static_cast<std::uint32_t>(status);
  to.tools_offered = request.tools_offered;
  to.response_bytes = response_bytes;
  if (!remainder_) return fill_prompt(to);
  to.request_bytes = remainder_->bytes;
  to.prompt_sha256 = std::move(remainder_->prompt_sha256);
  to.prompt_text = std::move(remainder_->prompt_text);
}

void ExchangeState::fill_prompt(model::LlmCall& to) const {
  to.request_bytes = body.size();
  to.prompt_sha256 = codec::prompt_sha256(request);
  if (!context.book || !context.book->policy->store_text()) return;
  if (patches.empty()) {
    to.prompt_text = codec::prompt_text(request);
    return;
  }
  const auto clean = codec::apply_patches(body, patches);
  if (!clean) return;
  if (const auto again = codec::parse_request(api, *clean))
    to.prompt_text = codec::prompt_text(*again);
}

// Texts are hashed here though somebody waits for the reply: it has not come, and they would be
// later.
void ExchangeState::let_go_of_request() {
  const bool is_needed = context.leaks.tools != nullptr || !context.policies.monitored.empty();
  if (remainder_ || is_needed) return;
  model::LlmCall said;
  fill_prompt(said);
  auto left = std::make_unique<Remainder>();
  left->key = request_key();
  left->prompt_sha256 = std::move(said.prompt_sha256);
  left->prompt_text = std::move(said.prompt_text);
  left->bytes = said.request_bytes;
  left->estimated_input = estimate_input(request);
  remainder_ = std::move(left);
  std::vector<codec::TextPart>().swap(request.parts);
  request.decoded.reset();
  body = {};
  std::vector<codec::JsonPatch>().swap(patches);
  std::vector<FirstLook>().swap(looks);
  for (std::string* text : {&mended_body, &patched_body, &translated_request, &forwarded_headers})
    std::string().swap(*text);
  if (sent)
    for (std::string* text : {&reply_headers, &reply_head}) std::string().swap(*text);
  request_head.resize(1);  // that it was sent is all that it tells from now on
  request_head.shrink_to_fit();
  client.let_go_of_body();
}

model::LlmCall& ExchangeState::call() {
  if (!call_) call_ = std::make_unique<model::LlmCall>();
  return *call_;
}

void ExchangeState::record() {
  if (caller.agent_id.empty()) return;  // nobody we know asked: counted, not recorded
  if (redacted) counters.redacted.add();
  settle_use();
  model::LlmCall& said = call();
  const auto ended = net::Clock::now();
  model::Event event;
  event.id = event_id;
  event.time = started_wall;
  event.tenant = caller.tenant;
  event.host_id = services.host_id;
  event.agent_id = caller.agent_id;
  event.session_id = caller.session_id;
  event.trace_id = trace_id;
  event.span_id = span_id;
  event.parent_span_id = std::move(parent_span_id);
  event.source = model::Source::kGateway;
  said.duration_us = microseconds(ended - started);
  if (first_byte != net::Clock::time_point{})
    said.first_byte_us = microseconds(first_byte - started);
  fill_request(said);
  if (plan) record_route(*this);
  for (std::string* text : {&said.prompt_text, &said.reply_text})
    if (cut_utf8(*text, kMaxRecordedTextBytes)) said.partial = true;
  event.body = std::move(said);
  record_watched();
  event.detections = std::move(detections);
  if (!decision && context.book) {
    decision = context.book->policy->to_decision(verdict);
    decision->case_id = event_id;
  }
  event.decision = std::move(decision);
  const bool was_answered = asked_at != net::Clock::time_point{} && first_byte > asked_at;
  const std::uint64_t answered_us = was_answered ? microseconds(first_byte - asked_at) : 0;
  if (was_answered && provider) provider->note_latency(answered_us);
  note_exchange(worker.figures(), api, event, answered_us);
  if (OtlpExporter* const otlp = services.observatory->otlp.get())
    otlp->offer(make_span(api, event, client.correlation));
  worker.record(std::move(event));
  // Streams read and write in between.
  if (work.is_on() && !reply_streams && was_answered)
    worker.figures().own_work.add(work.take_microseconds());
  if (gate) record_rest(worker, asked_by(), *gate);
}

}  // namespace aispm::gateway
