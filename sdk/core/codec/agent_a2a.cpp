// SPDX-License-Identifier: Apache-2.0
// A2A: slash methods of 0.x, PascalCase methods of 1.0, and the agent card of both.
#include <algorithm>
#include <array>

#include "sdk/core/codec/agent_internal.hpp"
#include "sdk/core/common/crypto.hpp"

namespace aispm::codec {
namespace {

constexpr std::size_t kNone = JsonTree::kNone;

constexpr std::array<std::string_view, 18> kMethods = {
    "message/send",
    "message/stream",
    "tasks/send",
    "tasks/sendSubscribe",
    "tasks/resubscribe",
    "agent/getAuthenticatedExtendedCard",
    "SendMessage",
    "SendStreamingMessage",
    "GetTask",
    "ListTasks",
    "CancelTask",
    "SubscribeToTask",
    "CreateTaskPushNotificationConfig",
    "GetTaskPushNotificationConfig",
    "ListTaskPushNotificationConfigs",
    "DeleteTaskPushNotificationConfig",
    "GetExtendedAgentCard",
    "ListTaskPushNotificationConfig",
};

bool is_a2a_call(const JsonTree& tree, const RpcMessage& rpc) {
  if (std::find(kMethods.begin(), kMethods.end(), rpc.method) != kMethods.end()) return true;
  if (rpc.method.starts_with("tasks/pushNotification")) return true;
  const bool is_shared =
      rpc.method == "tasks/get" || rpc.method == "tasks/cancel" || rpc.method == "tasks/list";
  return is_shared && rpc.params != kNone && tree.find(rpc.params, "taskId") == kNone;
}

// The object that says what a result is: 1.0 wraps it ({"task":{...}}), 0.x names its kind.
std::size_t find_payload(const JsonTree& tree, std::size_t result) {
  if (result == kNone || tree[result].kind != JsonKind::kObject) return kNone;
  const std::string_view kind = tree.string_at(result, "kind");
  if (kind == "task" || kind == "message" || kind == "status-update" || kind == "artifact-update")
    return result;
  for (const std::string_view wrapper : {"task", "message", "statusUpdate", "artifactUpdate"}) {
    const std::size_t inner = tree.find(result, wrapper);
    if (inner == kNone || tree[inner].kind != JsonKind::kObject) continue;
    for (const std::string_view id : {"id", "messageId", "taskId"})
      if (!tree.string_at(inner, id).empty()) return inner;
  }
  // tasks/get: the task itself.
  const std::size_t status = tree.find(result, "status");
  const bool is_task = status != kNone && !tree.string_at(status, "state").empty() &&
                       !tree.string_at(result, "id").empty();
  return is_task ? result : kNone;
}

// "TASK_STATE_INPUT_REQUIRED" (1.0) and "input-required" (0.x) are one state.
std::string state_word(std::string_view state) {
  constexpr std::string_view kPrefix = "TASK_STATE_";
  if (state.starts_with(kPrefix)) state.remove_prefix(kPrefix.size());
  std::string word = short_copy(state);
  for (char& c : word) {
    if (c >= 'A' && c <= 'Z') c = static_cast<char>(c | 0x20);
    if (c == '-') c = '_';
  }
  return word;
}

void read_call(AgentReader& reader) {
  const JsonTree& tree = reader.tree;
  const std::size_t params = reader.rpc.params;
  if (params == kNone) return;
  const std::size_t sent = tree.find(params, "message");
  reader.set_arguments(sent == kNone ? params : sent);
  reader.message.target = short_copy(tree.string_at(params, "id"));
  if (sent != kNone && reader.message.target.empty())
    reader.message.target = short_copy(tree.string_at(sent, "taskId"));
  tree.each_member(params, [&](const JsonNode& key, std::size_t value) {
    if (key.text != "id") reader.add_all(value, value == sent ? Surface::kPrompt : Surface::kOther);
  });
}

void read_result(AgentReader& reader, std::size_t payload) {
  const JsonTree& tree = reader.tree;
  AgentMessage& message = reader.message;
  message.target = short_copy(tree.string_at(payload, "taskId"));
  if (message.target.empty() && tree.find(payload, "messageId") == kNone)
    message.target = short_copy(tree.string_at(payload, "id"));
  if (const std::size_t status = tree.find(payload, "status"); status != kNone)
    message.result_type = state_word(tree.string_at(status, "state"));
  message.is_error = message.result_type == "failed" || message.result_type == "rejected";
  reader.set_result(reader.rpc.result);
}

}  // namespace

bool read_a2a(AgentReader& reader) {
  const RpcMessage& rpc = reader.rpc;
  if (rpc.kind == RpcKind::kError) return false;
  if (rpc.kind != RpcKind::kResult) {
    if (!is_a2a_call(reader.tree, rpc)) return false;
    read_call(reader);
  } else {
    const std::size_t payload = find_payload(reader.tree, rpc.result);
    if (payload == kNone) return false;
    read_result(reader, payload);
  }
  reader.message.protocol = AgentProtocol::kA2a;
  return true;
}

bool is_agent_card_path(std::string_view target) {
  const std::string_view path = target.substr(0, target.find_first_of("?#"));
  return path.ends_with("/.well-known/agent-card.json") ||
         path.ends_with("/.well-known/agent.json");
}

Result<AgentCard> parse_agent_card(std::string_view body) {
  if (body.size() > kMaxRpcBytes)
    return fail(Errc::kTooLarge,
                "agent card of more than " + std::to_string(kMaxRpcBytes) + " bytes");
  JsonTree& tree = thread_tree();
  AISPM_CHECK(tree.read(body, kMaxRpcDepth));
  const std::size_t skills = tree.find(0, "skills");
  AgentCard card;
  card.agent = {short_copy(tree.string_at(0, "name")), short_copy(tree.string_at(0, "version"))};
  if (card.agent.name.empty() || skills == kNone || tree[skills].kind != JsonKind::kArray)
    return fail(Errc::kInvalid, "agent card without name or skills");
  card.protocol_version = short_copy(tree.string_at(0, "protocolVersion"));
  card.url = short_copy(tree.string_at(0, "url"));
  // 1.0 lists its interfaces, the preferred one first.
  bool is_first = true;
  tree.each_element(tree.find(0, "supportedInterfaces"), [&](std::size_t one, std::size_t) {
    if (!is_first) return;
    is_first = false;
    card.url = short_copy(tree.string_at(one, "url"));
    card.protocol_version = short_copy(tree.string_at(one, "protocolVersion"));
  });
  if (const std::size_t provider = tree.find(0, "provider"); provider != kNone)
    card.provider = short_copy(tree.string_at(provider, "organization"));
  bool is_cut = false;
  read_tools(tree, skills, "id", card.skills, is_cut);
  if (is_cut)
    return fail(Errc::kTooLarge,
                "agent card with more than " + std::to_string(kMaxListedTools) + " skills");
  card.sha256 = sha256_hex(canonical_json(tree, 0, "signatures"));
  return card;
}

}  // namespace aispm::codec
