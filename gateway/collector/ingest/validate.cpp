// SPDX-License-Identifier: Apache-2.0
#include "gateway/collector/ingest/validate.hpp"

#include <algorithm>
#include <cmath>

#include "gateway/collector/ingest/validate_inventory.hpp"
#include "gateway/collector/limits.hpp"

namespace aispm::collector {
namespace {

constexpr std::int64_t kOldestSeconds = 946'684'800;    // 2000-01-01
constexpr std::int64_t kNewestSeconds = 9'223'372'035;  // fits int64 nanoseconds

bool is_hex(std::string_view text) {
  return std::ranges::all_of(
      text, [](char c) { return (c >= '0' && c <= '9') || (c >= 'a' && c <= 'f'); });
}

// Ids that people and rules compare: no spaces or control bytes, which could make two look alike.
bool is_plain(std::string_view text) {
  return std::ranges::all_of(
      text, [](char c) { return static_cast<unsigned char>(c) > ' ' && c != 0x7f; });
}

bool is_share(double value) { return std::isfinite(value) && value >= 0 && value <= 1; }

// Which sources a component may speak for: a sensor cannot put words into an agent's mouth.
// Never a certificate's: enrolment knows no such component.
constexpr std::string_view kCollector = "collector";

bool may_speak_for(std::string_view component, pb::Source source) {
  if (component == "sensord") return source == pb::SOURCE_SENSOR;
  if (component == kCollector) return source == pb::SOURCE_COLLECTOR;
  return source == pb::SOURCE_GATEWAY || source == pb::SOURCE_SANDBOX || source == pb::SOURCE_SDK;
}

pb::Source own_source(std::string_view component) {
  return component == "sensord" ? pb::SOURCE_SENSOR : pb::SOURCE_GATEWAY;
}

Result<> check_lists(const pb::Event& event) {
  if (static_cast<std::size_t>(event.detections_size()) > limits::kMaxDetections)
    return fail(Errc::kInvalid, "detections: too many");
  for (const auto& detection : event.detections()) {
    if (!is_share(detection.confidence()))
      return fail(Errc::kInvalid, "detections.confidence: must be 0..1");
    if (!pb::Severity_IsValid(detection.severity()))
      return fail(Errc::kInvalid, "detections.severity: unknown");
    if (detection.rule_id().size() > limits::kMaxNameBytes ||
        detection.category().size() > limits::kMaxNameBytes)
      return fail(Errc::kInvalid, "detections: rule_id or category too long");
  }
  if (event.has_process() &&
      static_cast<std::size_t>(event.process().argv_size()) > limits::kMaxArguments)
    return fail(Errc::kInvalid, "process.argv: too many");
  if (event.has_process() && event.process().start_boottime_ns() > INT64_MAX)
    return fail(Errc::kInvalid, "process.start_boottime_ns: out of range");
  return {};
}

Result<> check_health(const pb::ComponentHealth& health) {
  if (static_cast<std::size_t>(health.losses_size()) > limits::kMaxMapEntries ||
      static_cast<std::size_t>(health.counters_size()) > limits::kMaxMapEntries ||
      static_cast<std::size_t>(health.features_size()) > limits::kMaxMapEntries ||
      static_cast<std::size_t>(health.reasons_size()) > limits::kMaxArguments)
    return fail(Errc::kInvalid, "component_health: too many entries");
  return {};
}

// Token counts and byte counts end in SQL sums of int64.
constexpr std::uint64_t kMaxCount = 1ULL << 40;
constexpr std::uint64_t kMaxCost = 1'000'000'000'000'000;  // a million US dollars, of one call

Result<> check_body(const pb::Event& event) {
  switch (event.body_case()) {
    case pb::Event::BODY_NOT_SET:
      return fail(Errc::kInvalid, "body: none, or a kind this collector does not know");
    case pb::Event::kLlmCall:
      if (event.llm_call().input_tokens() > kMaxCount ||
          event.llm_call().output_tokens() > kMaxCount)
        return fail(Errc::kInvalid, "llm_call: token count out of range");
      if (event.llm_call().cost_nano_usd() > kMaxCost)
        return fail(Errc::kInvalid, "llm_call: cost out of range");
      if (event.llm_call().prompt_text().size() > limits::kMaxTextBytes ||
          event.llm_call().reply_text().size() > limits::kMaxTextBytes)
        return fail(Errc::kInvalid, "llm_call: text too long");
      return {};
    case pb::Event::kAiUse:
      if (!is_share(event.ai_use().confidence()))
        return fail(Errc::kInvalid, "ai_use.confidence: must be 0..1");
      return {};
    case pb::Event::kSandboxStart:
      if (event.session_id().empty())
        return fail(Errc::kInvalid, "sandbox_start: session_id is empty");
      if (static_cast<std::size_t>(event.sandbox_start().command_size()) > limits::kMaxArguments ||
          static_cast<std::size_t>(event.sandbox_start().mechanisms_size()) >
              limits::kMaxArguments ||
          static_cast<std::size_t>(event.sandbox_start().boundary_size()) > limits::kMaxArguments)
        return fail(Errc::kInvalid, "sandbox_start: list too long");
      return {};
    case pb::Event::kSandboxExit:
      if (event.session_id().empty())
        return fail(Errc::kInvalid, "sandbox_exit: session_id is empty");
      if (static_cast<std::size_t>(event.sandbox_exit().limits_size()) > limits::kMaxArguments)
        return fail(Errc::kInvalid, "sandbox_exit: list too long");
      return {};
    case pb::Event::kSandboxDenial:
      if (event.sandbox_denial().count() > kMaxCount)
        return fail(Errc::kInvalid, "sandbox_denial.count: out of range");
      return {};
    case pb::Event::kComponentHealth:
      return check_health(event.component_health());
    default:
      return {};
  }
}

Result<> check_ids(const pb::Event& event) {
  if (event.agent_id().size() > limits::kMaxNameBytes || !is_plain(event.agent_id()))
    return fail(Errc::kInvalid, "agent_id: too long, or with spaces or control characters");
  if (event.session_id().size() > limits::kMaxNameBytes || !is_plain(event.session_id()))
    return fail(Errc::kInvalid, "session_id: too long, or with spaces or control characters");
  if (!event.trace_id().empty() && (event.trace_id().size() != 32 || !is_hex(event.trace_id())))
    return fail(Errc::kInvalid, "trace_id: must be 32 lower-case hex digits");
  for (const std::string& span : {event.span_id(), event.parent_span_id()})
    if (!span.empty() && (span.size() != 16 || !is_hex(span)))
      return fail(Errc::kInvalid, "span_id: must be 16 lower-case hex digits");
  if (event.has_decision() && !pb::Decision::Outcome_IsValid(event.decision().outcome()))
    return fail(Errc::kInvalid, "decision.outcome: unknown");
  return {};
}

Result<WallTime> check_time(const google::protobuf::Timestamp& time) {
  if (time.seconds() < kOldestSeconds || time.seconds() > kNewestSeconds || time.nanos() < 0 ||
      time.nanos() > 999'999'999)
    return fail(Errc::kInvalid, "time: missing or out of range");
  return WallTime{time.seconds() * 1'000'000'000 + time.nanos()};
}

// The event without what the store keeps in columns.
std::string serialize_body(pb::Event& event) {
  const std::string id = std::move(*event.mutable_id());
  const google::protobuf::Timestamp time = event.time();
  const std::string tenant = std::move(*event.mutable_tenant());
  const std::string host = std::move(*event.mutable_host_id());
  const std::string agent = std::move(*event.mutable_agent_id());
  const std::string session = std::move(*event.mutable_session_id());
  const std::string trace = std::move(*event.mutable_trace_id());
  const pb::Source source = event.source();
  event.clear_id();
  event.clear_time();
  event.clear_tenant();
  event.clear_host_id();
  event.clear_agent_id();
  event.clear_session_id();
  event.clear_trace_id();
  event.clear_source();
  std::string body = event.SerializeAsString();
  event.set_id(id);
  *event.mutable_time() = time;
  event.set_tenant(tenant);
  event.set_host_id(host);
  event.set_agent_id(agent);
  event.set_session_id(session);
  event.set_trace_id(trace);
  event.set_source(source);
  return body;
}

}  // namespace

Result<> check_hello(const pb::Hello& hello) {
  if (hello.producer_id().empty() || hello.producer_id().size() > limits::kMaxNameBytes)
    return fail(Errc::kInvalid, "hello.producer_id: must be 1.." +
                                    std::to_string(limits::kMaxNameBytes) + " bytes");
  const auto& host = hello.host();
  for (const std::string* text :
       {&hello.component(), &hello.version(), &hello.hostname(), &host.machine_id(), &host.os(),
        &host.kernel(), &host.architecture(), &host.boot_id()})
    if (text->size() > limits::kMaxNameBytes)
      return fail(Errc::kInvalid, "hello: a field is too long");
  return {};
}

Result<IncomingEvent> accept_event(std::string_view bytes, const Producer& producer,
                                   google::protobuf::Arena& arena) {
  if (bytes.size() > limits::kMaxEventBytes)
    return fail(Errc::kInvalid,
                "event: larger than " + std::to_string(limits::kMaxEventBytes) + " bytes");
  IncomingEvent incoming;
  incoming.event = google::protobuf::Arena::CreateMessage<pb::Event>(&arena);
  pb::Event& event = *incoming.event;
  if (!event.ParseFromArray(bytes.data(), static_cast<int>(bytes.size())))
    return fail(Errc::kInvalid, "event: malformed protobuf or text that is not UTF-8");
  const auto id = parse_uuid(event.id());
  if (!id) return fail(Errc::kInvalid, "id: must be a UUID");
  incoming.id = *id;
  event.set_id(format_uuid({id->data(), id->size()}));
  AISPM_TRY(incoming.time, check_time(event.time()));
  AISPM_CHECK(check_ids(event));
  AISPM_CHECK(check_lists(event));
  AISPM_CHECK(check_body(event));
  AISPM_CHECK(check_inventory_body(event));
  if (event.source() == pb::SOURCE_UNSPECIFIED) event.set_source(own_source(producer.component));
  if (!may_speak_for(producer.component, event.source()))
    return fail(Errc::kInvalid, "source: not one that " + producer.component + " may report");
  event.set_tenant(producer.tenant);
  event.set_host_id(producer.host_id);
  incoming.body = serialize_body(event);
  return incoming;
}

AcceptedBatch accept_batch(const RawBatch& batch, const std::shared_ptr<const Producer>& producer) {
  AcceptedBatch accepted{std::make_unique<Delivery>(), {}};
  Delivery& delivery = *accepted.delivery;
  delivery.producer = producer;
  delivery.sequence = batch.sequence;
  delivery.lost_before = std::min<std::uint64_t>(batch.lost_before, kMaxCount);
  delivery.arena = std::make_unique<google::protobuf::Arena>();
  delivery.events.reserve(batch.events.size());
  for (const std::string_view bytes : batch.events) {
    auto event = accept_event(bytes, *producer, *delivery.arena);
    if (event) {
      delivery.events.push_back(std::move(*event));
      delivery.bytes += bytes.size();
      continue;
    }
    ++delivery.rejected;
    if (accepted.first_problem.empty()) accepted.first_problem = event.error().message;
  }
  return accepted;
}

}  // namespace aispm::collector
