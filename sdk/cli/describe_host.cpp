// SPDX-License-Identifier: Apache-2.0
// Events that say what the sensor knows about a host, in one line each.
#include "sdk/cli/describe.hpp"

namespace aispm::cli {
namespace {

std::string place(const std::string& address, std::uint32_t port) {
  const bool is_v6 = address.find(':') != std::string::npos;
  return (is_v6 ? "[" + address + "]" : address) + ":" + std::to_string(port);
}

template <typename Message>
std::string server_of(const Message& body) {
  if (!body.server_name().empty()) return body.server_name();
  if (!body.server_host().empty()) return body.server_host();
  if (body.has_server_process())
    return body.server_process().comm() + "[" + std::to_string(body.server_process().pid()) + "]";
  return "an unnamed server";
}

std::string describe(const v1::McpCall& call) {
  std::string text = call.protocol() + " " + call.method();
  if (!call.tool().empty()) text += " " + call.tool();
  text += " on " + server_of(call) + " (" + call.transport() + ")";
  if (call.is_error()) text += ": error";
  return text;
}

std::string describe(const v1::McpTools& list) {
  std::string text = server_of(list) + " offers " + std::to_string(list.tools_size()) + " tools";
  const auto name = [&text](const char* what, const auto& names) {
    for (const std::string& one : names) text += std::string("; ") + what + " " + one;
  };
  name("new:", list.added());
  name("gone:", list.removed());
  name("changed:", list.changed());
  return text;
}

std::string describe(const v1::Asset& asset) {
  return asset.kind() + " " + asset.name() + (asset.gone() ? " is gone" : "") +
         (asset.explanation().empty() ? "" : ": " + asset.explanation());
}

std::string describe(const v1::SocketClose& close) {
  const std::string where = place(close.destination_address(), close.destination_port()) +
                            (close.name().empty() ? "" : " (" + close.name() + ")");
  return (close.is_open() ? "connection to " : "closed ") + where + ": sent " +
         size_text(close.bytes_sent()) + ", received " + size_text(close.bytes_received());
}

std::string describe(const v1::NameSeen& seen) {
  std::string text = (seen.source() == "dns" ? "looked up " : "named ") + seen.name();
  if (seen.source() != "dns") text += " (" + seen.source() + ")";
  if (seen.encrypted_hello()) text += ", hello encrypted";
  if (seen.doh()) text += ", a DNS-over-HTTPS resolver";
  return text;
}

std::string describe(const v1::TlsCoverage& coverage) {
  std::string text = "plaintext of " + size_text(coverage.plaintext_bytes()) + " seen of " +
                     size_text(coverage.wire_bytes()) + " TLS on the wire";
  for (const auto& gap : coverage.gaps())
    text += "; " + gap.library() + ": " + gap.reason() + " (" + size_text(gap.wire_bytes()) + ")";
  return text;
}

std::string describe(const v1::FileAccess& file) {
  return file.operation() + " " + file.path() + " (" + file.file_class() + ")" +
         (file.outcome() == "denied" ? ": denied" : "");
}

std::string describe(const v1::Tamper& tamper) {
  return "tampering: " + tamper.kind() + " " + tamper.target() +
         (tamper.detail().empty() ? "" : ": " + tamper.detail());
}

std::string describe(const v1::Enforcement& done) {
  std::string text = (done.mode() == "monitor" ? "would have done " : "") + done.action() + " " +
                     done.target() + " (order " + done.order_id() + ")";
  if (done.count() > 1) text += ", " + std::to_string(done.count()) + " times";
  return text;
}

std::string describe(const v1::ActionCall& call) {
  std::string text = "action " + call.tool();
  if (!call.tool_provider().empty()) text += " of " + call.tool_provider();
  if (!call.destination().empty()) text += " to " + call.destination();
  if (!call.policy_id().empty()) text += " (policy " + call.policy_id() + ")";
  if (!call.approval_id().empty()) text += ", approval " + call.approval_id();
  return text;
}

std::string describe(const v1::OperatorAction& done) {
  std::string text = done.who() + ": " + done.action() + " " + done.target();
  if (!done.before().empty() || !done.after().empty())
    text += " (" + done.before() + " -> " + done.after() + ")";
  if (!done.reason().empty()) text += ": " + done.reason();
  return text;
}

}  // namespace

std::string describe_host(const v1::Event& event) {
  switch (event.body_case()) {
    case v1::Event::kMcpCall:
      return describe(event.mcp_call());
    case v1::Event::kMcpTools:
      return describe(event.mcp_tools());
    case v1::Event::kAsset:
      return describe(event.asset());
    case v1::Event::kSocketClose:
      return describe(event.socket_close());
    case v1::Event::kNameSeen:
      return describe(event.name_seen());
    case v1::Event::kTlsCoverage:
      return describe(event.tls_coverage());
    case v1::Event::kFileAccess:
      return describe(event.file_access());
    case v1::Event::kTamper:
      return describe(event.tamper());
    case v1::Event::kEnforcement:
      return describe(event.enforcement());
    case v1::Event::kActionCall:
      return describe(event.action_call());
    case v1::Event::kOperatorAction:
      return describe(event.operator_action());
    default:
      return "";
  }
}

}  // namespace aispm::cli
