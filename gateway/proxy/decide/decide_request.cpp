// SPDX-License-Identifier: Apache-2.0
#include "gateway/proxy/decide/decide_request.hpp"

#include "sdk/core/codec/json_edit.hpp"
#include "sdk/core/codec/json_tree.hpp"

namespace aispm::gateway {
namespace {

using codec::json_string;

constexpr std::size_t kMaxDepth = policy::Arguments::kMaxDepth + 2;
constexpr std::size_t kMaxTextBytes = 8U << 10;
constexpr std::size_t kMaxNameBytes = 256;
constexpr std::size_t kMaxLabels = 32;

auto wrong(std::string_view name, std::string_view what) {
  return fail(Errc::kInvalid, std::string(name) + ": " + std::string(what));
}

Result<> take_text(const codec::JsonNode& node, std::string_view name, std::size_t limit,
                   std::string& to) {
  if (!node.is_string()) return wrong(name, "must be a text");
  if (node.text.size() > limit)
    return wrong(name, "longer than " + std::to_string(limit) + " bytes");
  to = std::string(node.text);
  return {};
}

Result<> take_labels(const codec::JsonTree& tree, std::size_t list, DecideRequest& request) {
  if (tree[list].kind != codec::JsonKind::kArray) return wrong("labels", "must be a list of texts");
  Result<> taken;
  tree.each_element(list, [&](std::size_t element, std::size_t) {
    if (!taken) return;
    taken = take_text(tree[element], "labels", kMaxNameBytes, request.labels.emplace_back());
  });
  if (request.labels.size() > kMaxLabels) return wrong("labels", "more than 32");
  return taken;
}

Result<> take_member(const codec::JsonTree& tree, std::string_view body, std::string_view name,
                     std::size_t value, DecideRequest& request) {
  const codec::JsonNode& node = tree[value];
  if (name == "tool") return take_text(node, name, kMaxNameBytes, request.tool);
  if (name == "tool_provider") return take_text(node, name, kMaxNameBytes, request.tool_provider);
  if (name == "destination") return take_text(node, name, kMaxNameBytes, request.destination);
  if (name == "ticket") return take_text(node, name, kMaxNameBytes, request.ticket);
  if (name == "step_up") return take_text(node, name, kMaxTextBytes, request.step_up);
  if (name == "intent") return take_text(node, name, kMaxNameBytes, request.intent);
  if (name == "labels") return take_labels(tree, value, request);
  if (name == "arguments") {
    if (node.kind != codec::JsonKind::kObject) return wrong(name, "must be an object");
    request.arguments = std::string(body.substr(node.begin, node.end - node.begin));
    return {};
  }
  if (name == "wait") {
    const std::string_view word = body.substr(node.begin, node.end - node.begin);
    if (word != "true" && word != "false") return wrong(name, "must be true or false");
    request.wait = word == "true";
    return {};
  }
  return wrong(name,
               "not known; there are tool, tool_provider, arguments, destination, labels, ticket, "
               "step_up and wait");
}

void add_member(std::string& json, std::string_view name, std::string_view value) {
  json += "," + json_string(name) + ":" + json_string(value);
}

}  // namespace

Result<DecideRequest> read_decide_request(std::string_view body) {
  codec::JsonTree tree;
  AISPM_CHECK(tree.read(body, kMaxDepth));
  DecideRequest request;
  Result<> taken;
  tree.each_member(0, [&](const codec::JsonNode& key, std::size_t value) {
    if (taken) taken = take_member(tree, body, key.text, value, request);
  });
  AISPM_CHECK(taken);
  if (request.tool.empty()) return wrong("tool", "is missing");
  return request;
}

std::string decide_answer(const JudgedAction& action, const DecideOutcome& outcome) {
  const ActionVerdict& verdict = action.verdict;
  std::string json = "{\"outcome\":" + json_string(model::name_of(outcome.outcome)) +
                     ",\"allowed\":" + (outcome.allowed ? "true" : "false");
  add_member(json, "rule", verdict.rule_id);
  add_member(json, "reason", outcome.reason);
  add_member(json, "policy", verdict.policy_id);
  add_member(json, "policy_version", verdict.policy_version);
  add_member(json, "digest", verdict.digest);
  json += ",\"inputs\":[";
  for (std::size_t i = 0; i < verdict.inputs.size(); ++i)
    json += (i > 0 ? "," : "") + json_string(verdict.inputs[i]);
  json += "]";
  if (!verdict.approver_role.empty()) add_member(json, "approver_role", verdict.approver_role);
  if (!action.approval_id.empty()) add_member(json, "approval_id", action.approval_id);
  if (!outcome.link.empty()) add_member(json, "link", outcome.link);
  if (!outcome.result.empty()) add_member(json, "result", outcome.result);
  if (!outcome.changed.empty()) json += ",\"arguments\":" + outcome.changed;
  return json + "}";
}

}  // namespace aispm::gateway
