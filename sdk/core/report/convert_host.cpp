// SPDX-License-Identifier: Apache-2.0
// Bodies that say what the sensor knows about a host, and what both directions share.
#include "sdk/core/report/convert_parts.hpp"

namespace aispm::report {

void put(const model::Process& process, v1::Process& out) {
  out.set_pid(process.id.pid);
  out.set_start_boottime_ns(process.id.start.nanoseconds);
  out.set_parent_pid(process.parent.pid);
  out.set_parent_start_boottime_ns(process.parent.start.nanoseconds);
  out.set_uid(process.uid);
  out.set_user(to_utf8(process.user));
  out.set_comm(to_utf8(process.comm));
  out.set_exe(to_utf8(process.exe));
  put(process.argv, out.mutable_argv());
  out.set_argv_truncated(process.argv_truncated);
  out.set_cgroup_id(process.cgroup_id);
  out.set_pid_namespace(process.pid_namespace);
  out.set_container_id(to_utf8(process.container_id));
  out.set_container_image(to_utf8(process.container_image));
}

Result<std::uint16_t> get_port(std::uint32_t port) {
  if (port > UINT16_MAX) return fail(Errc::kInvalid, "event: a port must be 0..65535");
  return static_cast<std::uint16_t>(port);
}

model::Process get(const v1::Process& process) {
  model::Process out;
  out.id = {process.pid(), {process.start_boottime_ns()}};
  out.parent = {process.parent_pid(), {process.parent_start_boottime_ns()}};
  out.uid = process.uid();
  out.user = process.user();
  out.comm = process.comm();
  out.exe = process.exe();
  out.argv = get(process.argv());
  out.argv_truncated = process.argv_truncated();
  out.cgroup_id = process.cgroup_id();
  out.pid_namespace = process.pid_namespace();
  out.container_id = process.container_id();
  out.container_image = process.container_image();
  return out;
}

void put(const model::McpCall& body, v1::McpCall& to) {
  to.set_protocol(to_utf8(body.protocol));
  to.set_transport(to_utf8(body.transport));
  to.set_protocol_version(to_utf8(body.protocol_version));
  to.set_method(to_utf8(body.method));
  to.set_tool(to_utf8(body.tool));
  to.set_server_name(to_utf8(body.server_name));
  to.set_server_version(to_utf8(body.server_version));
  to.set_server_host(to_utf8(body.server_host));
  if (body.server_process) put(*body.server_process, *to.mutable_server_process());
  to.set_request_id(to_utf8(body.request_id));
  to.set_is_error(body.is_error);
  to.set_arguments_sha256(to_utf8(body.arguments_sha256));
  to.set_result_sha256(to_utf8(body.result_sha256));
  to.set_request_bytes(body.request_bytes);
  to.set_response_bytes(body.response_bytes);
  to.set_duration_us(body.duration_us);
  to.set_partial(body.partial);
}

void put(const model::Asset& body, v1::Asset& to) {
  to.set_asset_id(to_utf8(body.asset_id));
  to.set_kind(to_utf8(body.kind));
  to.set_name(to_utf8(body.name));
  to.set_provider(to_utf8(body.provider));
  to.set_version(to_utf8(body.version));
  to.set_confidence(body.confidence);
  for (const model::Evidence& one : body.evidence) {
    auto& item = *to.add_evidence();
    item.set_type(to_utf8(one.type));
    item.set_value(to_utf8(one.value));
    item.set_rule(to_utf8(one.rule));
    item.set_weight(one.weight);
  }
  to.set_explanation(to_utf8(body.explanation));
  for (const auto& [key, value] : body.attributes)
    (*to.mutable_attributes())[to_utf8(key)] = to_utf8(value);
  to.set_gone(body.gone);
  to.set_resync_id(to_utf8(body.resync_id));
  to.set_resync_size(body.resync_size);
}

void put(const model::SocketClose& body, v1::SocketClose& to) {
  to.set_source_address(to_utf8(body.source_address));
  to.set_source_port(body.source_port);
  to.set_destination_address(to_utf8(body.destination_address));
  to.set_destination_port(body.destination_port);
  to.set_protocol(to_utf8(body.protocol));
  to.set_bytes_sent(body.bytes_sent);
  to.set_bytes_received(body.bytes_received);
  to.set_duration_us(body.duration_us);
  to.set_name(to_utf8(body.name));
  to.set_name_source(to_utf8(body.name_source));
  to.set_is_open(body.is_open);
}

void put(const model::NameSeen& body, v1::NameSeen& to) {
  to.set_name(to_utf8(body.name));
  to.set_source(to_utf8(body.source));
  put(body.addresses, to.mutable_addresses());
  to.set_protocol(to_utf8(body.protocol));
  to.set_provider(to_utf8(body.provider));
  to.set_encrypted_hello(body.encrypted_hello);
  to.set_doh(body.doh);
}

void put(const model::FileAccess& body, v1::FileAccess& to) {
  to.set_path(to_utf8(body.path));
  to.set_operation(to_utf8(body.operation));
  to.set_file_class(to_utf8(body.file_class));
  to.set_sha256(to_utf8(body.sha256));
  to.set_size_bytes(body.size_bytes);
  to.set_outcome(to_utf8(body.outcome));
}

void put(const model::Tamper& body, v1::Tamper& to) {
  to.set_kind(to_utf8(body.kind));
  to.set_target(to_utf8(body.target));
  to.set_detail(to_utf8(body.detail));
}

void put(const model::Enforcement& body, v1::Enforcement& to) {
  to.set_order_id(to_utf8(body.order_id));
  to.set_action(to_utf8(body.action));
  to.set_target(to_utf8(body.target));
  to.set_mode(to_utf8(body.mode));
  to.set_count(body.count);
  to.set_latency_us(body.latency_us);
}

void put(const model::McpTools& body, v1::McpTools& to) {
  to.set_transport(to_utf8(body.transport));
  to.set_server_name(to_utf8(body.server_name));
  to.set_server_version(to_utf8(body.server_version));
  to.set_server_host(to_utf8(body.server_host));
  if (body.server_process) put(*body.server_process, *to.mutable_server_process());
  for (const model::McpTool& one : body.tools) {
    auto& tool = *to.add_tools();
    tool.set_name(to_utf8(one.name));
    tool.set_description_sha256(to_utf8(one.description_sha256));
    tool.set_schema_sha256(to_utf8(one.schema_sha256));
    put(one.findings, tool.mutable_findings());
  }
  put(body.added, to.mutable_added());
  put(body.removed, to.mutable_removed());
  put(body.changed, to.mutable_changed());
}

void put(const model::TlsCoverage& body, v1::TlsCoverage& to) {
  to.set_connections(body.connections);
  to.set_wire_bytes(body.wire_bytes);
  to.set_plaintext_bytes(body.plaintext_bytes);
  for (const model::CoverageGap& one : body.gaps) {
    auto& gap = *to.add_gaps();
    gap.set_library(to_utf8(one.library));
    gap.set_reason(to_utf8(one.reason));
    gap.set_connections(one.connections);
    gap.set_wire_bytes(one.wire_bytes);
  }
}

model::McpCall get(const v1::McpCall& from) {
  model::McpCall out;
  out.protocol = from.protocol();
  out.transport = from.transport();
  out.protocol_version = from.protocol_version();
  out.method = from.method();
  out.tool = from.tool();
  out.server_name = from.server_name();
  out.server_version = from.server_version();
  out.server_host = from.server_host();
  if (from.has_server_process()) out.server_process = get(from.server_process());
  out.request_id = from.request_id();
  out.is_error = from.is_error();
  out.arguments_sha256 = from.arguments_sha256();
  out.result_sha256 = from.result_sha256();
  out.request_bytes = from.request_bytes();
  out.response_bytes = from.response_bytes();
  out.duration_us = from.duration_us();
  out.partial = from.partial();
  return out;
}

model::Asset get(const v1::Asset& from) {
  model::Asset out;
  out.asset_id = from.asset_id();
  out.kind = from.kind();
  out.name = from.name();
  out.provider = from.provider();
  out.version = from.version();
  out.confidence = from.confidence();
  for (const auto& one : from.evidence())
    out.evidence.push_back({one.type(), one.value(), one.rule(), one.weight()});
  out.explanation = from.explanation();
  out.attributes = {from.attributes().begin(), from.attributes().end()};
  out.gone = from.gone();
  out.resync_id = from.resync_id();
  out.resync_size = from.resync_size();
  return out;
}

Result<model::SocketClose> get(const v1::SocketClose& from) {
  model::SocketClose out;
  out.source_address = from.source_address();
  AISPM_TRY(out.source_port, get_port(from.source_port()));
  out.destination_address = from.destination_address();
  AISPM_TRY(out.destination_port, get_port(from.destination_port()));
  out.protocol = from.protocol();
  out.bytes_sent = from.bytes_sent();
  out.bytes_received = from.bytes_received();
  out.duration_us = from.duration_us();
  out.name = from.name();
  out.name_source = from.name_source();
  out.is_open = from.is_open();
  return out;
}

model::NameSeen get(const v1::NameSeen& from) {
  model::NameSeen out;
  out.name = from.name();
  out.source = from.source();
  out.addresses = get(from.addresses());
  out.protocol = from.protocol();
  out.provider = from.provider();
  out.encrypted_hello = from.encrypted_hello();
  out.doh = from.doh();
  return out;
}

model::FileAccess get(const v1::FileAccess& from) {
  model::FileAccess out;
  out.path = from.path();
  out.operation = from.operation();
  out.file_class = from.file_class();
  out.sha256 = from.sha256();
  out.size_bytes = from.size_bytes();
  out.outcome = from.outcome();
  return out;
}

model::Tamper get(const v1::Tamper& from) {
  model::Tamper out;
  out.kind = from.kind();
  out.target = from.target();
  out.detail = from.detail();
  return out;
}

model::Enforcement get(const v1::Enforcement& from) {
  model::Enforcement out;
  out.order_id = from.order_id();
  out.action = from.action();
  out.target = from.target();
  out.mode = from.mode();
  out.count = from.count();
  out.latency_us = from.latency_us();
  return out;
}

model::McpTools get(const v1::McpTools& from) {
  model::McpTools out;
  out.transport = from.transport();
  out.server_name = from.server_name();
  out.server_version = from.server_version();
  out.server_host = from.server_host();
  if (from.has_server_process()) out.server_process = get(from.server_process());
  for (const auto& one : from.tools())
    out.tools.push_back(
        {one.name(), one.description_sha256(), one.schema_sha256(), get(one.findings())});
  out.added = get(from.added());
  out.removed = get(from.removed());
  out.changed = get(from.changed());
  return out;
}

model::TlsCoverage get(const v1::TlsCoverage& from) {
  model::TlsCoverage out;
  out.connections = from.connections();
  out.wire_bytes = from.wire_bytes();
  out.plaintext_bytes = from.plaintext_bytes();
  for (const auto& one : from.gaps())
    out.gaps.push_back({one.library(), one.reason(), one.connections(), one.wire_bytes()});
  return out;
}

}  // namespace aispm::report
