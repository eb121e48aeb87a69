// SPDX-License-Identifier: Apache-2.0
#include "gateway/mcp/mcp_complete.hpp"

#include "gateway/mcp/mcp_listing.hpp"
#include "gateway/mcp/mcp_names.hpp"
#include "gateway/mcp/mcp_reply.hpp"
#include "gateway/mcp/mcp_screen.hpp"
#include "gateway/mcp/server_host.hpp"
#include "gateway/proxy/decide/asked_action.hpp"
#include "sdk/core/codec/json_edit.hpp"
#include "sdk/core/codec/json_tree.hpp"
#include "sdk/core/codec/jsonrpc.hpp"

namespace aispm::gateway {

using codec::json_string;
using codec::JsonKind;
using codec::JsonTree;
using net::asio::awaitable;

namespace {

constexpr std::string_view kAction = "completion/complete";
constexpr std::string_view kNothing = "{\"completion\":{\"values\":[]}}";

// For whom a question is, and the question as that server understands it.
struct Completion {
  std::size_t server = 0;
  std::string params;
};

std::string text_at(const JsonTree& tree, std::string_view text, std::size_t node) {
  const codec::JsonSpan span = tree[node].span();
  return std::string(text.substr(span.begin, span.size()));
}

// kNotFound: none that this agent may ask about.
Result<Completion> read_completion(const McpConfig& config, std::string_view agent_id,
                                   std::string_view params) {
  JsonTree tree;
  AISPM_CHECK(tree.read(params, codec::kMaxRpcDepth));
  const std::size_t ref = tree.find(0, "ref");
  const std::size_t argument = tree.find(0, "argument");
  if (ref == JsonTree::kNone || argument == JsonTree::kNone ||
      tree.string_at(argument, "name").empty())
    return fail(Errc::kInvalid, "completion/complete names no ref and argument");
  const bool is_prompt = tree.string_at(ref, "type") == "ref/prompt";
  std::string_view server;
  std::string_view name;
  if (is_prompt) {
    if (const auto named = split_name(tree.string_at(ref, "name"))) {
      server = named->server;
      name = named->name;
    }
  } else if (const auto named = split_uri(tree.string_at(ref, "uri"))) {
    server = named->server;
    name = named->uri;
  }
  const auto found = find_server(config, server, agent_id);
  const Shelf shelf = is_prompt ? Shelf::kPrompts : Shelf::kTemplates;
  if (!found || !is_item_granted(config.servers[*found], shelf, name))
    return fail(Errc::kNotFound, "there is nothing of this name to complete");
  std::string asked = std::string("{\"ref\":{\"type\":") +
                      (is_prompt ? "\"ref/prompt\",\"name\":" : "\"ref/resource\",\"uri\":") +
                      json_string(name) + "},\"argument\":" + text_at(tree, params, argument);
  const std::size_t context = tree.find(0, "context");
  if (context != JsonTree::kNone && tree[context].kind == JsonKind::kObject)
    asked += ",\"context\":" + text_at(tree, params, context);
  return Completion{*found, asked + "}"};
}

std::string proposals_of(const ScanContext& scan, std::string result) {
  ResultLook look = look_at_result(scan, codec::Surface::kToolResult, kAction, std::move(result));
  JsonTree tree;
  if (look.objection || !tree.read(look.result, codec::kMaxRpcDepth)) return std::string(kNothing);
  const std::size_t completion = tree.find(0, "completion");
  if (completion == JsonTree::kNone || tree[completion].kind != JsonKind::kObject)
    return std::string(kNothing);
  return "{\"completion\":" + text_at(tree, look.result, completion) + "}";
}

}  // namespace

awaitable<std::string> serve_completion(Worker& worker, McpSession& session, const Caller& caller,
                                        const ShownProofs& proofs, const McpMessage& asked) {
  const McpConfig& config = worker.services().config.mcp;
  const auto wanted = read_completion(config, caller.agent_id, asked.arguments);
  if (!wanted) co_return mcp_error(asked.id, mcp_code::kInvalidParams, wanted.error().message);
  ActionQuestion question{.tool = std::string(kAction),
                          .tool_provider = config.servers[wanted->server].endpoint.name,
                          .arguments = wanted->params,
                          .delegation = proofs.delegation,
                          .intent = proofs.intent,
                          .surface = "mcp"};
  AskedAction action(worker, caller, std::move(question));
  if (const auto judged = action.judge(); !judged)
    co_return mcp_error(asked.id, mcp_code::kInternal, "AISPM: " + judged.error().message);
  judge_server_host(action, config.servers[wanted->server]);
  co_await action.settle(proofs, {});
  if (!action.settled().passes) {
    action.record();
    co_return mcp_error(asked.id, mcp_code::kDenied,
                        "AISPM: completion denied by rule " + action.action().verdict.rule_id);
  }
  ServerLink link(worker, session, wanted->server);
  action.on_freeze([&link] { link.abort(); });
  ServerAsk what;
  what.method = std::string(kAction);
  what.params = action.changed().empty() ? wanted->params : action.changed();
  auto said = co_await link.ask(what);
  action.record();
  if (!said) co_return mcp_error(asked.id, mcp_code::kInternal, no_server_answer(said.error()));
  if (said->kind == ServerMessage::Kind::kError) co_return mcp_result(asked, kNothing);
  co_return mcp_result(asked, proposals_of(action.scan(), std::move(said->result)));
}

}  // namespace aispm::gateway
