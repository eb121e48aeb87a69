// SPDX-License-Identifier: Apache-2.0
#include <google/protobuf/util/json_util.h>

#include "sdk/core/report/convert.hpp"
#include "sdk/core/report/convert_parts.hpp"

namespace aispm::report {
namespace {

constexpr std::int64_t kLastSecond = INT64_MAX / kNanosPerSecond - 1;

Result<WallTime> get_time(const google::protobuf::Timestamp& time) {
  if (time.seconds() < 0 || time.seconds() > kLastSecond || time.nanos() < 0 ||
      time.nanos() >= kNanosPerSecond)
    return fail(Errc::kInvalid, "event: time must lie between 1970 and 2262");
  return WallTime{time.seconds() * kNanosPerSecond + time.nanos()};
}

// Open enums of proto3 may hold any number.
template <typename Enum>
Enum get_enum(int value, Enum last) {
  return value < 0 || value > static_cast<int>(last) ? Enum{} : static_cast<Enum>(value);
}

model::Detection get_detection(const v1::Detection& detection) {
  model::Detection out;
  out.rule_id = detection.rule_id();
  out.category = detection.category();
  out.severity = get_enum(detection.severity(), model::Severity::kCritical);
  out.confidence = detection.confidence();
  out.surface = detection.surface();
  out.offset = detection.offset();
  out.length = detection.length();
  out.evidence = detection.evidence();
  out.message = detection.message();
  out.tags.assign(detection.tags().begin(), detection.tags().end());
  out.features.assign(detection.features().begin(), detection.features().end());
  return out;
}

model::Decision get_decision(const v1::Decision& decision) {
  return {get_enum(decision.outcome(), model::Outcome::kRateLimited),
          decision.mode(),
          decision.rule_id(),
          decision.reason(),
          decision.policy_version(),
          decision.case_id()};
}

Result<model::LlmCall> get_llm_call(const v1::LlmCall& from) {
  model::LlmCall out;
  out.provider = from.provider();
  out.api = from.api();
  out.host = from.host();
  out.request_model = from.request_model();
  out.response_model = from.response_model();
  out.stream = from.stream();
  out.status = from.status();
  out.input_tokens = from.input_tokens();
  out.output_tokens = from.output_tokens();
  out.tools_offered = get(from.tools_offered());
  out.tools_called = get(from.tools_called());
  out.prompt_sha256 = from.prompt_sha256();
  out.reply_sha256 = from.reply_sha256();
  out.prompt_text = from.prompt_text();
  out.reply_text = from.reply_text();
  out.request_bytes = from.request_bytes();
  out.response_bytes = from.response_bytes();
  out.duration_us = from.duration_us();
  out.first_byte_us = from.first_byte_us();
  out.finish_reason = from.finish_reason();
  out.response_id = from.response_id();
  out.partial = from.partial();
  out.route = from.route();
  out.destination_address = from.destination_address();
  AISPM_TRY(out.destination_port, get_port(from.destination_port()));
  out.attribution = from.attribution();
  out.attribution_confidence = from.attribution_confidence();
  out.tokens_estimated = from.tokens_estimated();
  if (from.has_cost_nano_usd()) out.cost_nano_usd = from.cost_nano_usd();
  out.upstream = from.upstream();
  out.route_name = from.route_name();
  out.arm = from.arm();
  out.failed_attempts = get(from.failed_attempts());
  out.fallback = from.fallback();
  out.shadow_of = from.shadow_of();
  out.cached = from.cached();
  return out;
}

model::ComponentHealth get_health(const v1::ComponentHealth& from) {
  model::ComponentHealth out;
  out.component = from.component();
  out.version = from.version();
  out.state = from.state();
  out.reasons = get(from.reasons());
  out.losses = {from.losses().begin(), from.losses().end()};
  out.counters = {from.counters().begin(), from.counters().end()};
  out.features = {from.features().begin(), from.features().end()};
  return out;
}

using Body = decltype(model::Event::body);

Result<Body> get_sockets(const v1::Event& from) {
  if (from.body_case() == v1::Event::kSocketListen) {
    const auto& body = from.socket_listen();
    AISPM_TRY(const std::uint16_t port, get_port(body.port()));
    return Body(model::SocketListen{body.address(), port, body.protocol()});
  }
  const auto& body = from.socket_connect();
  AISPM_TRY(const std::uint16_t source_port, get_port(body.source_port()));
  AISPM_TRY(const std::uint16_t destination_port, get_port(body.destination_port()));
  return Body(model::SocketConnect{body.source_address(), source_port, body.destination_address(),
                                   destination_port, body.protocol(), body.outcome(), body.name(),
                                   body.name_source()});
}

Body get_sandbox(const v1::Event& from) {
  if (from.body_case() == v1::Event::kSandboxStart) {
    const auto& body = from.sandbox_start();
    return model::SandboxStart{get(body.command()),    body.profile(),       body.pid_namespace(),
                               get(body.mechanisms()), get(body.boundary()), body.workspace(),
                               body.start_kind(),      body.cold_reason()};
  }
  const auto& body = from.sandbox_exit();
  return model::SandboxExit{body.exit_code(),    body.signal(),      body.duration_us(),
                            body.denials(),      get(body.limits()), body.ended_by_limit(),
                            body.output_bytes(), body.log_lines(),   body.lost_log_lines()};
}

Result<Body> get_denial(const v1::SandboxDenial& from) {
  model::SandboxDenial body;
  body.kind = get_enum(from.kind(), model::DenialKind::kLimit);
  body.target = from.target();
  body.protocol = from.protocol();
  body.count = from.count();
  body.name = from.name();
  body.reason = from.reason();
  body.error = from.error();
  if (from.has_first_time()) {
    AISPM_TRY(body.first_time, get_time(from.first_time()));
  }
  if (from.has_last_time()) {
    AISPM_TRY(body.last_time, get_time(from.last_time()));
  }
  return Body(std::move(body));
}

Body get_agent(const v1::Event& from) {
  if (from.body_case() == v1::Event::kAgentReady) {
    const auto& body = from.agent_ready();
    return model::AgentReady{body.name(), body.version(), body.framework()};
  }
  const auto& body = from.agent_log();
  return model::AgentLog{
      body.level(),  body.message(),    {body.fields().begin(), body.fields().end()},
      body.stream(), body.lost_lines(), body.cut_bytes()};
}

Body get_ai_use(const v1::AiUse& body) {
  return model::AiUse{body.evidence(), body.provider(),   body.model(),
                      body.host(),     body.confidence(), body.sanctioned(),
                      body.rule(),     body.detail(),     body.route()};
}

// What the sensor says about a host beyond processes and sockets.
Result<Body> get_host_body(const v1::Event& from) {
  switch (from.body_case()) {
    case v1::Event::kMcpCall:
      return Body(get(from.mcp_call()));
    case v1::Event::kMcpTools:
      return Body(get(from.mcp_tools()));
    case v1::Event::kAsset:
      return Body(get(from.asset()));
    case v1::Event::kNameSeen:
      return Body(get(from.name_seen()));
    case v1::Event::kTlsCoverage:
      return Body(get(from.tls_coverage()));
    case v1::Event::kFileAccess:
      return Body(get(from.file_access()));
    case v1::Event::kTamper:
      return Body(get(from.tamper()));
    case v1::Event::kEnforcement:
      return Body(get(from.enforcement()));
    case v1::Event::kActionCall:
      return Body(get(from.action_call()));
    case v1::Event::kOperatorAction:
      return Body(get(from.operator_action()));
    case v1::Event::kSocketClose: {
      AISPM_TRY(auto close, get(from.socket_close()));
      return Body(std::move(close));
    }
    default:
      return fail(Errc::kInternal, "event: a body without conversion");
  }
}

Result<Body> get_body(const v1::Event& from) {
  switch (from.body_case()) {
    case v1::Event::BODY_NOT_SET:
      return Body();
    case v1::Event::kProcessExec:
      return Body(model::ProcessExec{});
    case v1::Event::kProcessExit:
      return Body(
          model::ProcessExit{from.process_exit().exit_code(), from.process_exit().signal()});
    case v1::Event::kSocketListen:
    case v1::Event::kSocketConnect:
      return get_sockets(from);
    case v1::Event::kLlmCall: {
      AISPM_TRY(auto call, get_llm_call(from.llm_call()));
      return Body(std::move(call));
    }
    case v1::Event::kSandboxStart:
    case v1::Event::kSandboxExit:
      return get_sandbox(from);
    case v1::Event::kSandboxDenial:
      return get_denial(from.sandbox_denial());
    case v1::Event::kAgentReady:
    case v1::Event::kAgentLog:
      return get_agent(from);
    case v1::Event::kAiUse:
      return get_ai_use(from.ai_use());
    case v1::Event::kComponentHealth:
      return Body(get_health(from.component_health()));
    default:
      return get_host_body(from);
  }
}

}  // namespace

Result<model::Event> from_proto(const v1::Event& event) {
  model::Event out;
  out.id = event.id();
  if (event.has_time()) {
    AISPM_TRY(out.time, get_time(event.time()));
  }
  out.tenant = event.tenant();
  out.host_id = event.host_id();
  out.agent_id = event.agent_id();
  out.session_id = event.session_id();
  out.trace_id = event.trace_id();
  out.span_id = event.span_id();
  out.parent_span_id = event.parent_span_id();
  out.source = get_enum(event.source(), model::Source::kCollector);
  if (event.has_process()) out.process = get(event.process());
  AISPM_TRY(out.body, get_body(event));
  out.detections.reserve(static_cast<std::size_t>(event.detections_size()));
  for (const auto& detection : event.detections())
    out.detections.push_back(get_detection(detection));
  if (event.has_decision()) out.decision = get_decision(event.decision());
  return out;
}

Result<model::Event> from_json(std::string_view json) {
  if (json.size() > kMaxEventJsonBytes)
    return fail(Errc::kTooLarge,
                "event: JSON text larger than " + std::to_string(kMaxEventJsonBytes) + " bytes");
  v1::Event message;
  const auto status = google::protobuf::util::JsonStringToMessage(
      google::protobuf::StringPiece(json.data(), json.size()), &message);
  if (!status.ok()) return fail(Errc::kInvalid, "event: " + status.ToString());
  return from_proto(message);
}

}  // namespace aispm::report
