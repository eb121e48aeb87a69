// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <cstdint>
#include <map>
#include <string>
#include <string_view>
#include <vector>

#include "sdk/core/codec/agent_message.hpp"
#include "sensor/correlate/exchange.hpp"
#include "sensor/correlate/party.hpp"
#include "sensor/correlate/protocol_reader.hpp"
#include "sensor/correlate/tool_history.hpp"

namespace aispm::sensor {

// What one client and one server say to each other in JSON-RPC, whatever carries it: pairs requests
// with their answers into MCP and A2A calls, and puts lists of tools together. Either side may ask.
// Not thread-safe.
class AgentTalk {
 public:
  // Requests of both sides without an answer; beyond, the oldest is reported as it is.
  static constexpr std::size_t kMaxPending = 256;
  // Tools of one list in an event.
  static constexpr std::size_t kMaxReportedTools = 1024;

  // One message on its way.
  struct Flow {
    const Party& party;
    Sender sender = Sender::kClient;
    BootTime time;
    std::uint64_t bytes = 0;   // of the message
    std::string_view session;  // HTTP: tells ids of several clients of one server apart
    bool is_partial = false;   // part of what belongs to it was lost
  };

  // `transport` is McpCall.transport; `host` the server's, empty for stdio.
  AgentTalk(std::string transport, std::string host, ByteBudget& budget)
      : transport_(std::move(transport)), host_(std::move(host)), charge_(budget) {}

  void take(const codec::AgentMessage& message, const Flow& flow, const Context& context);
  // The exchange that carried the client's request ended: an answer, if there was none yet, will
  // not come. `is_error`: the server refused it.
  void end_request(const std::string& id, bool is_error, const Flow& flow, const Context& context);
  // An agent card named the server and its skills.
  void take_card(const codec::AgentCard& card, const Flow& flow, const Context& context);
  // The stream or its process ended: reports what has no answer.
  void close(BootTime time, const Context& context);

  bool has_pending() const { return !pending_.empty(); }
  bool is_known() const { return protocol_ != codec::AgentProtocol::kUnknown; }
  void set_transport(std::string_view transport) { transport_ = transport; }
  const std::string& transport() const { return transport_; }

 private:
  struct Key {
    Sender asker = Sender::kClient;
    std::string session;
    std::string id;
    auto operator<=>(const Key&) const = default;
  };
  struct Pending {
    BootTime begun;
    std::uint64_t order = 0;  // of arrival
    Party party;
    model::McpCall call;
    bool is_known = false;  // its words alone tell the protocol
    bool streams = false;   // its answer is several results; the exchange's end ends it
  };
  using PendingMap = std::map<Key, Pending>;

  void learn(const codec::AgentMessage& message, Sender sender);
  void ask(const codec::AgentMessage& message, const Flow& flow, const Context& context);
  void answer(const codec::AgentMessage& message, const Flow& flow, const Context& context);
  void finish(PendingMap::iterator found, BootTime time, const Context& context);
  void take_tools(const codec::ToolList& list, const Flow& flow, const Context& context);
  void finish_oldest(BootTime time, const Context& context);
  bool charge();
  void report_tools(const Party& party, BootTime time, const Context& context);

  std::string transport_;
  std::string host_;
  codec::AgentProtocol protocol_ = codec::AgentProtocol::kUnknown;
  std::string version_;
  codec::Party server_;
  std::vector<model::McpTool> listed_;  // pages of a list that is not complete
  PendingMap pending_;
  std::uint64_t next_order_ = 0;
  ByteCharge charge_;
};

}  // namespace aispm::sensor
