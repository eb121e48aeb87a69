// SPDX-License-Identifier: Apache-2.0
#include "gateway/mcp/asked_link.hpp"

#include "gateway/proxy/exchange_state.hpp"

namespace aispm::gateway {
namespace {

void note(ExchangeState& x, std::string_view tool, std::string_view arguments) {
  AskedCall call{.tool = std::string(tool),
                 .digest = digest_of_arguments(arguments),
                 .session = {},
                 .event_id = x.event_id,
                 .trace_id = x.trace_id};
  x.services.asked_calls->note_call(asked_for(x.caller), std::move(call), net::Clock::now());
}

}  // namespace

AskedFor asked_for(const Caller& caller) { return {caller.key(), caller.session_id}; }

void note_asked(ExchangeState& x, std::string_view reply) {
  if (!x.services.asked_calls || x.route.kind != RouteKind::kLlm || x.status >= 400) return;
  x.services.asked_calls->note_reply(asked_for(x.caller), net::Clock::now());
  if (x.call().tools_called.empty()) return;
  const auto parsed = codec::parse_reply(x.api, reply);
  if (!parsed) return;  // it was read before: what was put into it cannot be read
  for (const codec::ToolCall& asked : parsed->tool_calls) note(x, asked.name, asked.arguments);
}

std::function<void(std::string_view tool, std::string_view arguments)> hear_asked(
    ExchangeState& x) {
  if (!x.services.asked_calls || x.route.kind != RouteKind::kLlm) return {};
  x.services.asked_calls->note_reply(asked_for(x.caller), net::Clock::now());
  return [&x](std::string_view tool, std::string_view arguments) { note(x, tool, arguments); };
}

std::optional<model::Detection> finding_of(AskedMatch match) {
  if (match != AskedMatch::kNone && match != AskedMatch::kChanged) return std::nullopt;
  const bool is_none = match == AskedMatch::kNone;
  model::Detection detection;
  detection.rule_id = is_none ? "mcp.unasked_call" : "mcp.changed_call";
  detection.category = "tool_abuse";
  detection.severity = is_none ? model::Severity::kHigh : model::Severity::kLow;
  detection.confidence = is_none ? 0.8 : 0.5;
  detection.surface = "tool_arguments";
  detection.message = is_none ? "No model asked this agent for the call"
                              : "A model asked for the call with other arguments";
  return detection;
}

}  // namespace aispm::gateway
