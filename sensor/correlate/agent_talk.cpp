// SPDX-License-Identifier: Apache-2.0
#include "sensor/correlate/agent_talk.hpp"

#include <algorithm>
#include <utility>

namespace aispm::sensor {

using codec::AgentMessage;
using codec::AgentProtocol;
using codec::RpcKind;

namespace {

// What one of each takes in memory, roughly.
constexpr std::size_t kPendingBytes = 1024;
constexpr std::size_t kListedBytes = 256;

Sender other(Sender sender) {
  return sender == Sender::kClient ? Sender::kServer : Sender::kClient;
}

// A2A 0.x and 1.0: the answer is a stream of results with one id.
bool streams_results(std::string_view method) {
  return method == "message/stream" || method == "tasks/resubscribe" ||
         method == "SendStreamingMessage" || method == "SubscribeToTask";
}

}  // namespace

void AgentTalk::take(const AgentMessage& message, const Flow& flow, const Context& context) {
  learn(message, flow.sender);
  if (message.kind == RpcKind::kRequest) return ask(message, flow, context);
  if (message.kind != RpcKind::kNotification) answer(message, flow, context);
}

void AgentTalk::learn(const AgentMessage& message, Sender sender) {
  if (message.protocol != AgentProtocol::kUnknown) protocol_ = message.protocol;
  // What the server chose outweighs what the client asked for.
  if (!message.protocol_version.empty() && (version_.empty() || sender == Sender::kServer))
    version_ = message.protocol_version;
  if (sender == Sender::kServer && !message.server.name.empty()) server_ = message.server;
}

void AgentTalk::ask(const AgentMessage& message, const Flow& flow, const Context& context) {
  if (message.id.empty()) return;
  if (pending_.size() >= kMaxPending) {
    context.counters.lose("rpc.pending_full");
    finish_oldest(flow.time, context);
  }
  Pending pending;
  pending.begun = flow.time;
  pending.order = next_order_++;
  pending.party = flow.party;
  pending.is_known = message.protocol != AgentProtocol::kUnknown;
  pending.streams = streams_results(message.method);
  pending.call.method = message.method;
  if (message.method == "tools/call") pending.call.tool = message.target;
  pending.call.request_id = message.id;
  pending.call.arguments_sha256 = message.arguments_sha256;
  pending.call.request_bytes = flow.bytes;
  pending.call.protocol_version = message.protocol_version;
  pending.call.partial = true;  // until it is answered
  pending_.insert_or_assign({flow.sender, std::string(flow.session), message.id},
                            std::move(pending));
  while (!charge() && !pending_.empty()) {
    context.counters.lose("memory.rpc");
    finish_oldest(flow.time, context);
  }
}

void AgentTalk::finish_oldest(BootTime time, const Context& context) {
  finish(std::min_element(
             pending_.begin(), pending_.end(),
             [](const auto& a, const auto& b) { return a.second.order < b.second.order; }),
         time, context);
}

bool AgentTalk::charge() {
  return charge_.resize(pending_.size() * kPendingBytes + listed_.size() * kListedBytes);
}

void AgentTalk::answer(const AgentMessage& message, const Flow& flow, const Context& context) {
  if (message.tools && flow.sender == Sender::kServer) take_tools(*message.tools, flow, context);
  const auto found = pending_.find({other(flow.sender), std::string(flow.session), message.id});
  if (found == pending_.end()) return context.counters.note("rpc.answers_without_request");
  model::McpCall& call = found->second.call;
  call.response_bytes += flow.bytes;
  call.is_error = message.is_error || message.kind == RpcKind::kError;
  call.result_sha256 = message.result_sha256;
  call.partial = flow.is_partial;
  if (message.protocol != AgentProtocol::kUnknown) found->second.is_known = true;
  if (!found->second.streams) finish(found, flow.time, context);
}

void AgentTalk::end_request(const std::string& id, bool is_error, const Flow& flow,
                            const Context& context) {
  const auto found = pending_.find({Sender::kClient, std::string(flow.session), id});
  if (found == pending_.end()) return;
  if (is_error) found->second.call.is_error = true;
  finish(found, flow.time, context);
}

void AgentTalk::finish(PendingMap::iterator found, BootTime time, const Context& context) {
  Pending pending = std::move(found->second);
  pending_.erase(found);
  (void)charge();
  // Words that any JSON-RPC may use count only where the rest of the talk says what it is.
  if (!pending.is_known && !is_known()) return context.counters.note("ignored.other_rpc");
  Observation seen = make_observation(Observation::Kind::kAgentCall, pending.party, pending.begun);
  seen.call.host = host_;
  seen.agent_call = std::move(pending.call);
  model::McpCall& call = *seen.agent_call;
  call.protocol = codec::name_of(protocol_);
  call.transport = transport_;
  if (call.protocol_version.empty()) call.protocol_version = version_;
  call.server_name = server_.name;
  call.server_version = server_.version;
  call.duration_us = microseconds(pending.begun, time);
  context.counters.note("rpc.calls");
  context.sink(std::move(seen));
}

void AgentTalk::take_tools(const codec::ToolList& list, const Flow& flow, const Context& context) {
  // A name that was listed already begins the list anew: the client did not ask for all pages.
  const auto is_listed = [this](const codec::ToolDefinition& tool) {
    return std::any_of(listed_.begin(), listed_.end(),
                       [&](const model::McpTool& one) { return one.name == tool.name; });
  };
  if (!list.tools.empty() && is_listed(list.tools.front())) listed_.clear();
  for (const codec::ToolDefinition& tool : list.tools) {
    if (tool.name.empty()) {  // cannot be called; the collector refuses a list that has one
      context.counters.lose("rpc.tools_unnamed");
      continue;
    }
    if (listed_.size() >= codec::kMaxListedTools) {
      context.counters.lose("rpc.tools_cut");
      break;
    }
    listed_.push_back({tool.name, tool.description_sha256, tool.schema_sha256});
    if (charge()) continue;
    context.counters.lose("memory.rpc");
    listed_.pop_back();
    break;
  }
  if (list.is_cut) context.counters.lose("rpc.tools_cut");
  if (!list.has_more) report_tools(flow.party, flow.time, context);
}

void AgentTalk::take_card(const codec::AgentCard& card, const Flow& flow, const Context& context) {
  protocol_ = AgentProtocol::kA2a;
  server_ = card.agent;
  version_ = card.protocol_version;
  listed_.clear();
  take_tools({card.skills, false, false}, flow, context);
}

void AgentTalk::report_tools(const Party& party, BootTime time, const Context& context) {
  Observation seen = make_observation(Observation::Kind::kTools, party, time);
  seen.call.host = host_;
  model::McpTools& tools = seen.tools.emplace();
  tools.transport = transport_;
  tools.server_name = server_.name;
  tools.server_version = server_.version;
  tools.tools = std::exchange(listed_, {});
  (void)charge();
  context.sink(std::move(seen));
}

void AgentTalk::close(BootTime time, const Context& context) {
  while (!pending_.empty()) finish(pending_.begin(), time, context);
}

}  // namespace aispm::sensor
