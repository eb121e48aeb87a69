// SPDX-License-Identifier: Apache-2.0
#include "gateway/mcp/mcp_call.hpp"

#include "gateway/mcp/mcp_listing.hpp"
#include "gateway/mcp/mcp_screen.hpp"
#include "gateway/mcp/server_link.hpp"
#include "gateway/proxy/decide/asked_action.hpp"
#include "sdk/core/codec/json_edit.hpp"

namespace aispm::gateway {

using codec::json_string;
using model::Outcome;
using net::asio::awaitable;

namespace {

constexpr std::size_t kMaxShownName = 256;

// The same for tools that are not there and for those that an agent may not see.
std::string unknown_tool(const McpMessage& asked) {
  return mcp_error(asked.id, mcp_code::kInvalidParams,
                   "Unknown tool: " + asked.tool.substr(0, kMaxShownName));
}

model::Detection wish_of(const std::string& method) {
  model::Detection detection;
  detection.rule_id = "mcp.server_request";
  detection.category = "tool_abuse";
  detection.severity = model::Severity::kMedium;
  detection.confidence = 0.7;
  detection.surface = "tool_result";
  detection.message = "A server asked its client for " + method + ", which nobody granted";
  return detection;
}

// One call, from the tool to its record.
class ToolCall {
 public:
  ToolCall(Worker& worker, McpSession& session, const Caller& caller, const ShownProofs& proofs,
           const McpMessage& asked, McpTell tell)
      : worker_(worker),
        session_(session),
        caller_(caller),
        proofs_(proofs),
        message_(asked),
        tell_(std::move(tell)) {}

  awaitable<std::string> answer() {
    const McpConfig& config = worker_.services().config.mcp;
    const auto address = split_tool(message_.tool);
    const auto server =
        address ? find_server(config, address->server, caller_.agent_id) : std::nullopt;
    if (!server || !is_tool_granted(config.servers[*server], address->tool))
      co_return unknown_tool(message_);
    ServerLink link(worker_, session_, *server);
    const auto book = co_await link.tools(config.servers[*server].list_age);
    if (!book)
      co_return mcp_error(
          message_.id, mcp_code::kInternal,
          "AISPM: the server " + std::string(address->server) + " cannot be used at the moment");
    const McpTool* const tool = (*book)->find(address->tool);
    if (tool == nullptr) co_return unknown_tool(message_);
    AskedAction asked(worker_, caller_,
                      ActionQuestion{.tool = tool->definition.name,
                                     .tool_provider = std::string(address->server),
                                     .arguments = message_.arguments,
                                     .delegation = proofs_.delegation,
                                     .intent = proofs_.intent,
                                     .surface = "mcp",
                                     .definition = tool->definition});
    asked.on_freeze([&link] { link.abort(); });
    if (const auto judged = judge(asked, *tool); !judged)
      co_return mcp_error(message_.id, mcp_code::kInternal, "AISPM: " + judged.error().message);
    co_await ask_people(asked);
    std::string said;
    if (asked.settled().passes) {
      said = co_await forward(asked, link, *tool);
    } else {
      said = explain(asked);
    }
    asked.record();
    co_return said;
  }

 private:
  Result<> judge(AskedAction& asked, const McpTool& tool) {
    AISPM_CHECK(asked.judge());
    JudgedAction& action = asked.action();
    action.is_recorded = false;  // every call is
    action.findings.insert(action.findings.end(), asked.findings().begin(), asked.findings().end());
    if (action.verdict.outcome == Outcome::kDeny || action.verdict.outcome == Outcome::kKillSwitch)
      return {};
    ToolLook look = look_at_tool(asked.scan(), tool);
    if (look.objection) {
      action.findings.insert(action.findings.end(), look.detections.begin(), look.detections.end());
      asked.overrule(Outcome::kDeny, look.objection->rule_id, look.objection->reason);
      return {};
    }
    if (const auto fits = check_arguments(tool, message_.arguments); !fits)
      asked.overrule(Outcome::kDeny, "tools.arguments", fits.error().message);
    return {};
  }

  // Holds the call where the client can be told to show a page meanwhile; elsewhere the model is
  // told, and makes the same call again.
  awaitable<void> ask_people(AskedAction& asked) {
    AskedAction::OnPulse on_pulse;
    if (tell_ && session_.asks_by_url())
      on_pulse = [this, &asked](const Settled& state) { return tell(asked, state); };
    co_await asked.settle(proofs_, std::move(on_pulse));
  }

  awaitable<bool> tell(AskedAction& asked, const Settled& state) {
    std::string words;
    if (!is_told_ && !state.link.empty())
      words = "{\"jsonrpc\":\"2.0\",\"id\":" + json_string("aispm-" + asked.action().approval_id) +
              ",\"method\":\"elicitation/create\",\"params\":{\"mode\":\"url\",\"elicitationId\":" +
              json_string(asked.action().approval_id) +
              ",\"message\":" + json_string(waiting(asked)) +
              ",\"url\":" + json_string(state.link) + "}}";
    is_told_ = true;
    co_return co_await tell_(std::move(words));
  }

  std::string waiting(AskedAction& asked) const {
    return "AISPM: the call of " + asked.action().tool +
           " needs a person's approval: " + asked.settled().reason;
  }

  // Why the call was not made, in words for the model.
  std::string explain(AskedAction& asked) {
    const Settled& settled = asked.settled();
    const JudgedAction& action = asked.action();
    if (!settled.result.empty())  // a person answered the call
      return mcp_result(message_, "{\"content\":[{\"type\":\"text\",\"text\":" +
                                      json_string(settled.result) + "}]}");
    if (!settled.is_settled && message_.asks_by_url && !message_.is_retry && !settled.link.empty())
      return mcp_result(message_,
                        mcp_input_required(action.approval_id, waiting(asked), settled.link), true);
    std::string words;
    if (!settled.is_settled)
      words = waiting(asked) + ". Case " + action.approval_id +
              (settled.link.empty() ? "" : " (" + settled.link + ")") +
              ": make the same call again once it is approved";
    else
      words = "AISPM: tool call " + action.tool + " denied by rule " + action.verdict.rule_id +
              (settled.reason.empty() ? "" : ": " + settled.reason) +
              (action.approval_id.empty() ? "" : ", case " + action.approval_id);
    return mcp_result(message_, mcp_tool_error(words));
  }

  awaitable<std::string> forward(AskedAction& asked, ServerLink& link, const McpTool& tool) {
    const std::string& arguments = asked.changed().empty() ? message_.arguments : asked.changed();
    auto said = co_await link.ask("tools/call", server_call(tool.definition.name, arguments));
    JudgedAction& action = asked.action();
    for (const std::string& wish : link.wishes()) action.findings.push_back(wish_of(wish));
    if (!said)
      co_return mcp_result(
          message_, mcp_tool_error("AISPM: the server did not answer: " + said.error().message));
    const bool is_error = said->kind == ServerMessage::Kind::kError;
    ResultLook look =
        look_at_result(asked.scan(), tool.definition.name,
                       is_error ? mcp_tool_error(said->error_message) : std::move(said->result));
    action.findings.insert(action.findings.end(), look.detections.begin(), look.detections.end());
    if (look.objection) {
      worker_.counters().mcp_results_withheld.add();
      asked.withhold(Outcome::kDeny, look.objection->rule_id,
                     "What the tool answered is withheld: " + look.objection->reason);
      co_return mcp_result(message_,
                           mcp_tool_error("AISPM: what the tool answered is withheld by rule " +
                                          look.objection->rule_id + ": " + look.objection->reason));
    }
    if (look.redactions > 0)
      asked.withhold(Outcome::kRedact, action.verdict.rule_id,
                     "Parts of what the tool answered are cut out");
    co_return mcp_result(message_, look.result, said->has_type);
  }

  Worker& worker_;
  McpSession& session_;
  const Caller& caller_;
  const ShownProofs& proofs_;
  const McpMessage& message_;
  const McpTell tell_;
  bool is_told_ = false;
};

}  // namespace

awaitable<std::string> call_tool(Worker& worker, McpSession& session, const Caller& caller,
                                 const ShownProofs& proofs, const McpMessage& asked, McpTell tell) {
  ToolCall call(worker, session, caller, proofs, asked, std::move(tell));
  co_return co_await call.answer();
}

}  // namespace aispm::gateway
