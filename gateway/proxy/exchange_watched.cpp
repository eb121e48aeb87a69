// SPDX-License-Identifier: Apache-2.0
// What detection of policies that are only watched says of an exchange, after its client has its
// answer.
#include "gateway/proxy/exchange_state.hpp"
#include "sdk/core/common/id.hpp"

namespace aispm::gateway {

std::vector<WatchedDetection>& ExchangeState::watched_detections() {
  if (!has_watched && context.book) {
    has_watched = true;
    watched = WatchedDetection::of(worker.desk(), context, caller.tenant);
  }
  return watched;
}

void ExchangeState::watch_reply(std::string_view reply) {
  if (context.policies.monitored.empty() || route.kind != RouteKind::kLlm) return;
  if (watched_detections().empty()) return;
  const auto parsed = codec::parse_reply(api, reply);
  if (!parsed) return;  // it did not pass either
  for (WatchedDetection& one : watched) one.take_reply(api, *parsed);
}

void ExchangeState::watch_stream(const codec::StreamReply& reply) {
  if (context.policies.monitored.empty()) return;
  for (WatchedDetection& one : watched_detections()) one.take_stream(reply);
}

void ExchangeState::record_watched() {
  if (context.policies.monitored.empty()) return;
  for (WatchedDetection& one : watched_detections()) {
    one.take_request(request);
    if (!one.differs_from(detections)) continue;
    model::Event event;
    event.id = make_uuid();
    event.time = wall_now();
    event.tenant = caller.tenant;
    event.host_id = services.host_id;
    event.agent_id = caller.agent_id;
    event.session_id = caller.session_id;
    event.trace_id = trace_id;
    event.span_id = make_span_id();
    event.source = model::Source::kGateway;
    model::Decision would_be;
    model::ActionCall said;
    one.tell(detections, would_be, said);
    would_be.case_id = event_id;
    said.call_event_id = event_id;
    said.digest = codec::prompt_sha256(request);
    said.model = request.model;
    if (provider) said.provider = provider->event_name();
    event.decision = std::move(would_be);
    event.body = std::move(said);
    worker.record(std::move(event));
  }
}

}  // namespace aispm::gateway
