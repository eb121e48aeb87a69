// SPDX-License-Identifier: Apache-2.0
#include "gateway/collector/ingest/validate_inventory.hpp"

#include <algorithm>
#include <cmath>

#include "gateway/collector/limits.hpp"
#include "sdk/core/model/gateway_actions.hpp"

namespace aispm::collector {
namespace {

constexpr std::uint64_t kMaxCount = 1ULL << 40;  // of things
constexpr std::uint64_t kMaxBytes = 1ULL << 50;  // of traffic of one process
constexpr std::size_t kMaxReasonBytes = 1024;    // of one attempt that failed

bool is_share(double value) { return std::isfinite(value) && value >= 0 && value <= 1; }

tl::unexpected<Error> refuse(const std::string& what) { return fail(Errc::kInvalid, what); }

template <typename... Texts>
bool are_names(const Texts&... texts) {
  return ((texts.size() <= limits::kMaxNameBytes) && ...);
}

// Hashes are compared and shown: either none or one of SHA-256.
bool is_hash(const std::string& text) {
  if (text.empty()) return true;
  if (text.size() != 64) return false;
  for (const char c : text)
    if ((c < '0' || c > '9') && (c < 'a' || c > 'f')) return false;
  return true;
}

Result<> check_asset(const pb::Asset& asset) {
  if (asset.asset_id().empty() || !are_names(asset.asset_id(), asset.resync_id()))
    return refuse("asset.asset_id: must be 1..256 bytes");
  if (asset.kind().empty() ||
      !are_names(asset.kind(), asset.name(), asset.provider(), asset.version()))
    return refuse("asset: kind is empty, or a name is too long");
  if (!is_share(asset.confidence())) return refuse("asset.confidence: must be 0..1");
  if (static_cast<std::size_t>(asset.evidence_size()) > limits::kMaxEvidence ||
      static_cast<std::size_t>(asset.attributes_size()) > limits::kMaxEvidence)
    return refuse("asset: too much evidence or too many attributes");
  std::size_t bytes = asset.explanation().size();
  for (const auto& evidence : asset.evidence()) {
    if (!is_share(evidence.weight())) return refuse("asset.evidence.weight: must be 0..1");
    bytes += evidence.type().size() + evidence.value().size() + evidence.rule().size();
  }
  for (const auto& [key, value] : asset.attributes()) bytes += key.size() + value.size();
  if (bytes > limits::kMaxAssetBytes) return refuse("asset: too large");
  return {};
}

constexpr int kMaxFindings = 16;

// "HIDDEN_TEXT"
bool is_finding(const std::string& name) {
  return !name.empty() && name.size() <= 64 && std::all_of(name.begin(), name.end(), [](char c) {
    return (c >= 'A' && c <= 'Z') || c == '_';
  });
}

Result<> check_tools(const pb::McpTools& tools) {
  if (!are_names(tools.transport(), tools.server_name(), tools.server_version(),
                 tools.server_host()))
    return refuse("mcp_tools: a name is too long");
  if (static_cast<std::size_t>(tools.tools_size()) > limits::kMaxTools)
    return refuse("mcp_tools.tools: too many");
  for (const auto& tool : tools.tools()) {
    if (tool.name().empty() || !are_names(tool.name()))
      return refuse("mcp_tools.tools.name: must be 1..256 bytes");
    if (!is_hash(tool.description_sha256()) || !is_hash(tool.schema_sha256()))
      return refuse("mcp_tools.tools: a hash is not one of SHA-256");
    if (tool.findings_size() > kMaxFindings ||
        !std::all_of(tool.findings().begin(), tool.findings().end(), is_finding))
      return refuse("mcp_tools.tools.findings: more than 16, or not one of A-Z and _");
  }
  return {};
}

Result<> check_action(const pb::ActionCall& call) {
  if (call.tool().empty() ||
      !are_names(call.surface(), call.tool(), call.tool_provider(), call.destination(),
                 call.policy_id(), call.approval_id(), call.agent_type(), call.trust(),
                 call.environment(), call.call_event_id(), call.model(), call.provider()))
    return refuse("action_call: the tool is empty, or a name is too long");
  if (!is_hash(call.digest())) return refuse("action_call.digest: not one of SHA-256");
  if (!is_hash(call.description_sha256()) || !is_hash(call.schema_sha256()))
    return refuse("action_call: a hash of the tool's definition is not one of SHA-256");
  if (!is_share(call.risk())) return refuse("action_call.risk: must be 0..1");
  if (call.arguments_text().size() > limits::kMaxTextBytes)
    return refuse("action_call.arguments_text: too long");
  if (static_cast<std::size_t>(call.inputs_size()) > limits::kMaxEvidence ||
      static_cast<std::size_t>(call.data_labels_size()) > limits::kMaxEvidence ||
      static_cast<std::size_t>(call.roles_size()) > limits::kMaxEvidence)
    return refuse("action_call: too many inputs, labels or roles");
  for (const auto* texts : {&call.inputs(), &call.data_labels(), &call.roles()})
    for (const std::string& text : *texts)
      if (text.size() > limits::kMaxPathBytes) return refuse("action_call: a text is too long");
  return {};
}

// What is changed at a collector it says itself (no other may name it as source); what is changed
// at a gateway, that gateway.
Result<> check_operator_action(const pb::Event& event) {
  if (event.source() == pb::SOURCE_COLLECTOR) return {};
  const pb::OperatorAction& done = event.operator_action();
  const model::GatewayAction* const action = model::find_gateway_action(done.action());
  if (event.source() != pb::SOURCE_GATEWAY || action == nullptr)
    return refuse("operator_action: only the collector says what operators did");
  if (!are_names(done.who(), done.target(), done.reason()))
    return refuse("operator_action: a name is too long");
  for (const std::string* state : {&done.before(), &done.after()})
    if (action->tells_digests ? !is_hash(*state) : state->size() > limits::kMaxTextBytes)
      return refuse("operator_action: what was or is is too long, or no hash of SHA-256");
  return {};
}

Result<> check_call(const pb::McpCall& call) {
  if (!are_names(call.protocol(), call.transport(), call.protocol_version(), call.method(),
                 call.tool(), call.server_name(), call.server_version(), call.server_host()))
    return refuse("mcp_call: a name is too long");
  if (!is_hash(call.arguments_sha256()) || !is_hash(call.result_sha256()))
    return refuse("mcp_call: a hash is not one of SHA-256");
  if (call.request_bytes() > kMaxBytes || call.response_bytes() > kMaxBytes ||
      call.duration_us() > kMaxCount)
    return refuse("mcp_call: a count is out of range");
  return {};
}

Result<> check_coverage(const pb::Event& event) {
  const auto& coverage = event.tls_coverage();
  if (!event.has_process()) return refuse("tls_coverage: no process");
  if (static_cast<std::size_t>(coverage.gaps_size()) > limits::kMaxGaps)
    return refuse("tls_coverage.gaps: too many");
  if (coverage.connections() > kMaxCount || coverage.wire_bytes() > kMaxBytes ||
      coverage.plaintext_bytes() > kMaxBytes)
    return refuse("tls_coverage: a count is out of range");
  for (const auto& gap : coverage.gaps())
    if (!are_names(gap.library(), gap.reason()) || gap.connections() > kMaxCount ||
        gap.wire_bytes() > kMaxBytes)
      return refuse("tls_coverage.gaps: a name is too long or a count out of range");
  return {};
}

Result<> check_name(const pb::NameSeen& seen) {
  if (seen.name().size() > limits::kMaxNameBytes ||
      !are_names(seen.source(), seen.protocol(), seen.provider()))
    return refuse("name_seen: a name is too long");
  if (static_cast<std::size_t>(seen.addresses_size()) > limits::kMaxAddresses)
    return refuse("name_seen.addresses: too many");
  for (const auto& address : seen.addresses())
    if (!are_names(address)) return refuse("name_seen.addresses: too long");
  return {};
}

Result<> check_route(const pb::LlmCall& call) {
  if (!call.route().empty() && call.route() != "gateway" && call.route() != "local" &&
      call.route() != "direct")
    return refuse("llm_call.route: must be gateway, local, direct or empty");
  if (!is_share(call.attribution_confidence()))
    return refuse("llm_call.attribution_confidence: must be 0..1");
  if (call.duration_us() > kMaxCount || call.first_byte_us() > kMaxCount)
    return refuse("llm_call: a duration is out of range");
  if (!are_names(call.upstream(), call.route_name(), call.arm(), call.shadow_of()))
    return refuse("llm_call: the name of a route, candidate or provider is too long");
  if (static_cast<std::size_t>(call.failed_attempts_size()) > limits::kMaxEvidence)
    return refuse("llm_call.failed_attempts: too many");
  for (const auto& why : call.failed_attempts())
    if (why.size() > kMaxReasonBytes) return refuse("llm_call.failed_attempts: too long");
  return {};
}

}  // namespace

Result<> check_inventory_body(const pb::Event& event) {
  switch (event.body_case()) {
    case pb::Event::kAsset:
      return check_asset(event.asset());
    case pb::Event::kMcpTools:
      return check_tools(event.mcp_tools());
    case pb::Event::kMcpCall:
      return check_call(event.mcp_call());
    case pb::Event::kTlsCoverage:
      return check_coverage(event);
    case pb::Event::kNameSeen:
      return check_name(event.name_seen());
    case pb::Event::kLlmCall:
      return check_route(event.llm_call());
    case pb::Event::kSocketClose:
      if (!are_names(event.socket_close().name(), event.socket_close().name_source(),
                     event.socket_close().destination_address()) ||
          event.socket_close().bytes_sent() > kMaxBytes ||
          event.socket_close().bytes_received() > kMaxBytes)
        return refuse("socket_close: a name is too long or a count out of range");
      return {};
    case pb::Event::kFileAccess:
      if (event.file_access().path().size() > limits::kMaxPathBytes ||
          !are_names(event.file_access().operation(), event.file_access().file_class(),
                     event.file_access().outcome()) ||
          !is_hash(event.file_access().sha256()))
        return refuse("file_access: a field is too long, or the hash not one of SHA-256");
      return {};
    case pb::Event::kTamper:
      if (!are_names(event.tamper().kind()) ||
          event.tamper().target().size() > limits::kMaxPathBytes ||
          event.tamper().detail().size() > limits::kMaxPathBytes)
        return refuse("tamper: a field is too long");
      return {};
    case pb::Event::kEnforcement:
      if (!are_names(event.enforcement().order_id(), event.enforcement().action(),
                     event.enforcement().mode()) ||
          event.enforcement().target().size() > limits::kMaxPathBytes ||
          event.enforcement().count() > kMaxCount || event.enforcement().latency_us() > kMaxCount)
        return refuse("enforcement: a field is too long or a count out of range");
      return {};
    case pb::Event::kActionCall:
      return check_action(event.action_call());
    case pb::Event::kOperatorAction:
      return check_operator_action(event);
    default:
      return {};
  }
}

}  // namespace aispm::collector
