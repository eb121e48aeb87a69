// SPDX-License-Identifier: Apache-2.0
#include "sdk/core/report/convert.hpp"

#include <google/protobuf/util/json_util.h>

#include <memory>

#include "sdk/core/common/utf8.hpp"
#include "sdk/core/report/convert_parts.hpp"

namespace aispm::report {
namespace {

void put_time(WallTime time, google::protobuf::Timestamp& out) {
  const TimeParts parts = parts_of(time);
  out.set_seconds(parts.seconds);
  out.set_nanos(parts.nanos);
}

// As to_utf8(), into memory that is used again.
void set_text(std::string_view from, std::string& to) {
  if (is_ascii(from))
    to.assign(from);
  else
    to = to_utf8(from);
}

// A text that is empty leaves its field as a cleared message has it: there is nothing to write.
template <typename Message>
void put_text(std::string_view from, Message& to, std::string* (Message::*field)()) {
  if (!from.empty()) set_text(from, *(to.*field)());
}

void put_detection(const model::Detection& detection, v1::Detection& out) {
  out.set_rule_id(to_utf8(detection.rule_id));
  out.set_category(to_utf8(detection.category));
  out.set_severity(static_cast<v1::Severity>(detection.severity));
  out.set_confidence(detection.confidence);
  out.set_surface(to_utf8(detection.surface));
  out.set_offset(detection.offset);
  out.set_length(detection.length);
  out.set_evidence(to_utf8(detection.evidence));
  out.set_message(to_utf8(detection.message));
  for (const std::string& tag : detection.tags) out.add_tags(to_utf8(tag));
  for (const std::string& feature : detection.features) out.add_features(to_utf8(feature));
}

void put_decision(const model::Decision& decision, v1::Decision& out) {
  out.set_outcome(static_cast<v1::Decision::Outcome>(decision.outcome));
  put_text(decision.mode, out, &v1::Decision::mutable_mode);
  put_text(decision.rule_id, out, &v1::Decision::mutable_rule_id);
  put_text(decision.reason, out, &v1::Decision::mutable_reason);
  put_text(decision.policy_version, out, &v1::Decision::mutable_policy_version);
  put_text(decision.case_id, out, &v1::Decision::mutable_case_id);
}

// One overload a body: adding an alternative to the variant without one does not compile.
struct PutBody {
  v1::Event& out;

  void operator()(const std::monostate&) const { out.clear_body(); }
  void operator()(const model::ProcessExec&) const { out.mutable_process_exec(); }
  void operator()(const model::ProcessExit& body) const {
    auto& to = *out.mutable_process_exit();
    to.set_exit_code(body.exit_code);
    to.set_signal(body.signal);
  }
  void operator()(const model::SocketListen& body) const {
    auto& to = *out.mutable_socket_listen();
    to.set_address(to_utf8(body.address));
    to.set_port(body.port);
    to.set_protocol(to_utf8(body.protocol));
  }
  void operator()(const model::SocketConnect& body) const {
    auto& to = *out.mutable_socket_connect();
    to.set_source_address(to_utf8(body.source_address));
    to.set_source_port(body.source_port);
    to.set_destination_address(to_utf8(body.destination_address));
    to.set_destination_port(body.destination_port);
    to.set_protocol(to_utf8(body.protocol));
    to.set_outcome(to_utf8(body.outcome));
    to.set_name(to_utf8(body.name));
    to.set_name_source(to_utf8(body.name_source));
  }
  void operator()(const model::LlmCall& body) const {
    auto& to = *out.mutable_llm_call();
    put_text(body.provider, to, &v1::LlmCall::mutable_provider);
    put_text(body.api, to, &v1::LlmCall::mutable_api);
    put_text(body.host, to, &v1::LlmCall::mutable_host);
    put_text(body.request_model, to, &v1::LlmCall::mutable_request_model);
    put_text(body.response_model, to, &v1::LlmCall::mutable_response_model);
    to.set_stream(body.stream);
    to.set_status(body.status);
    to.set_input_tokens(body.input_tokens);
    to.set_output_tokens(body.output_tokens);
    put(body.tools_offered, to.mutable_tools_offered());
    put(body.tools_called, to.mutable_tools_called());
    put_text(body.prompt_sha256, to, &v1::LlmCall::mutable_prompt_sha256);
    put_text(body.reply_sha256, to, &v1::LlmCall::mutable_reply_sha256);
    put_text(body.prompt_text, to, &v1::LlmCall::mutable_prompt_text);
    put_text(body.reply_text, to, &v1::LlmCall::mutable_reply_text);
    to.set_request_bytes(body.request_bytes);
    to.set_response_bytes(body.response_bytes);
    to.set_duration_us(body.duration_us);
    to.set_first_byte_us(body.first_byte_us);
    put_text(body.finish_reason, to, &v1::LlmCall::mutable_finish_reason);
    put_text(body.response_id, to, &v1::LlmCall::mutable_response_id);
    to.set_partial(body.partial);
    put_text(body.route, to, &v1::LlmCall::mutable_route);
    put_text(body.destination_address, to, &v1::LlmCall::mutable_destination_address);
    to.set_destination_port(body.destination_port);
    put_text(body.attribution, to, &v1::LlmCall::mutable_attribution);
    to.set_attribution_confidence(body.attribution_confidence);
    to.set_tokens_estimated(body.tokens_estimated);
    if (body.cost_nano_usd) to.set_cost_nano_usd(*body.cost_nano_usd);
    put_text(body.upstream, to, &v1::LlmCall::mutable_upstream);
    put_text(body.route_name, to, &v1::LlmCall::mutable_route_name);
    put_text(body.arm, to, &v1::LlmCall::mutable_arm);
    put(body.failed_attempts, to.mutable_failed_attempts());
    to.set_fallback(body.fallback);
    put_text(body.shadow_of, to, &v1::LlmCall::mutable_shadow_of);
    to.set_cached(body.cached);
  }
  void operator()(const model::SandboxStart& body) const {
    auto& to = *out.mutable_sandbox_start();
    put(body.command, to.mutable_command());
    to.set_profile(to_utf8(body.profile));
    to.set_pid_namespace(body.pid_namespace);
    put(body.mechanisms, to.mutable_mechanisms());
    put(body.boundary, to.mutable_boundary());
    to.set_workspace(to_utf8(body.workspace));
    to.set_start_kind(to_utf8(body.start_kind));
    to.set_cold_reason(to_utf8(body.cold_reason));
  }
  void operator()(const model::SandboxExit& body) const {
    auto& to = *out.mutable_sandbox_exit();
    to.set_exit_code(body.exit_code);
    to.set_signal(body.signal);
    to.set_duration_us(body.duration_us);
    to.set_denials(body.denials);
    put(body.limits, to.mutable_limits());
    to.set_ended_by_limit(body.ended_by_limit);
    to.set_output_bytes(body.output_bytes);
    to.set_log_lines(body.log_lines);
    to.set_lost_log_lines(body.lost_log_lines);
  }
  void operator()(const model::SandboxDenial& body) const {
    auto& to = *out.mutable_sandbox_denial();
    to.set_kind(static_cast<v1::SandboxDenial::Kind>(body.kind));
    to.set_target(to_utf8(body.target));
    to.set_protocol(to_utf8(body.protocol));
    to.set_count(body.count);
    to.set_name(to_utf8(body.name));
    to.set_reason(to_utf8(body.reason));
    to.set_error(to_utf8(body.error));
    if (body.first_time.nanoseconds != 0) put_time(body.first_time, *to.mutable_first_time());
    if (body.last_time.nanoseconds != 0) put_time(body.last_time, *to.mutable_last_time());
  }
  void operator()(const model::AgentReady& body) const {
    auto& to = *out.mutable_agent_ready();
    to.set_name(to_utf8(body.name));
    to.set_version(to_utf8(body.version));
    to.set_framework(to_utf8(body.framework));
  }
  void operator()(const model::AgentLog& body) const {
    auto& to = *out.mutable_agent_log();
    to.set_level(to_utf8(body.level));
    to.set_message(to_utf8(body.message));
    for (const auto& [key, value] : body.fields)
      (*to.mutable_fields())[to_utf8(key)] = to_utf8(value);
    to.set_stream(to_utf8(body.stream));
    to.set_lost_lines(body.lost_lines);
    to.set_cut_bytes(body.cut_bytes);
  }
  void operator()(const model::AiUse& body) const {
    auto& to = *out.mutable_ai_use();
    to.set_evidence(to_utf8(body.evidence));
    to.set_provider(to_utf8(body.provider));
    to.set_model(to_utf8(body.model));
    to.set_host(to_utf8(body.host));
    to.set_confidence(body.confidence);
    to.set_sanctioned(body.sanctioned);
    to.set_rule(to_utf8(body.rule));
    to.set_detail(to_utf8(body.detail));
    to.set_route(to_utf8(body.route));
  }
  void operator()(const model::ComponentHealth& body) const {
    auto& to = *out.mutable_component_health();
    to.set_component(to_utf8(body.component));
    to.set_version(to_utf8(body.version));
    to.set_state(to_utf8(body.state));
    put(body.reasons, to.mutable_reasons());
    for (const auto& [key, value] : body.losses) (*to.mutable_losses())[to_utf8(key)] = value;
    for (const auto& [key, value] : body.counters) (*to.mutable_counters())[to_utf8(key)] = value;
    for (const auto& [key, value] : body.features)
      (*to.mutable_features())[to_utf8(key)] = to_utf8(value);
  }
  void operator()(const model::McpCall& body) const { put(body, *out.mutable_mcp_call()); }
  void operator()(const model::McpTools& body) const { put(body, *out.mutable_mcp_tools()); }
  void operator()(const model::Asset& body) const { put(body, *out.mutable_asset()); }
  void operator()(const model::SocketClose& body) const { put(body, *out.mutable_socket_close()); }
  void operator()(const model::NameSeen& body) const { put(body, *out.mutable_name_seen()); }
  void operator()(const model::TlsCoverage& body) const { put(body, *out.mutable_tls_coverage()); }
  void operator()(const model::FileAccess& body) const { put(body, *out.mutable_file_access()); }
  void operator()(const model::Tamper& body) const { put(body, *out.mutable_tamper()); }
  void operator()(const model::Enforcement& body) const { put(body, *out.mutable_enforcement()); }
  void operator()(const model::ActionCall& body) const { put(body, *out.mutable_action_call()); }
  void operator()(const model::OperatorAction& body) const {
    put(body, *out.mutable_operator_action());
  }
};

// Clears `out`, but keeps the parts that this event will fill again, with the memory of their
// texts: a thread converts one event after the other, nearly all of them calls of models.
void clear_for(const model::Event& event, v1::Event& out) {
  const bool is_call = std::holds_alternative<model::LlmCall>(event.body);
  std::unique_ptr<v1::LlmCall> call(is_call ? out.release_llm_call() : nullptr);
  std::unique_ptr<v1::Decision> decision(event.decision ? out.release_decision() : nullptr);
  std::unique_ptr<google::protobuf::Timestamp> time(out.release_time());
  out.Clear();
  if (call) {
    call->Clear();
    out.set_allocated_llm_call(call.release());
  }
  if (decision) {
    decision->Clear();
    out.set_allocated_decision(decision.release());
  }
  if (time) out.set_allocated_time(time.release());
}

}  // namespace

void to_proto(const model::Event& event, v1::Event& out) {
  clear_for(event, out);
  put_text(event.id, out, &v1::Event::mutable_id);
  put_time(event.time, *out.mutable_time());
  put_text(event.tenant, out, &v1::Event::mutable_tenant);
  put_text(event.host_id, out, &v1::Event::mutable_host_id);
  put_text(event.agent_id, out, &v1::Event::mutable_agent_id);
  put_text(event.session_id, out, &v1::Event::mutable_session_id);
  put_text(event.trace_id, out, &v1::Event::mutable_trace_id);
  put_text(event.span_id, out, &v1::Event::mutable_span_id);
  put_text(event.parent_span_id, out, &v1::Event::mutable_parent_span_id);
  out.set_source(static_cast<v1::Source>(event.source));
  if (event.process) put(*event.process, *out.mutable_process());
  std::visit(PutBody{out}, event.body);
  for (const auto& detection : event.detections) put_detection(detection, *out.add_detections());
  if (event.decision) put_decision(*event.decision, *out.mutable_decision());
}

Result<std::string> to_json(const model::Event& event) {
  v1::Event message;
  to_proto(event, message);
  google::protobuf::util::JsonPrintOptions options;
  options.preserve_proto_field_names = true;
  std::string json;
  if (const auto status = google::protobuf::util::MessageToJsonString(message, &json, options);
      !status.ok())
    return fail(Errc::kInternal, "event to JSON: " + status.ToString());
  return json;
}

}  // namespace aispm::report
