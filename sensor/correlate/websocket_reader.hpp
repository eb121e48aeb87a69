// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <deque>
#include <memory>
#include <string>
#include <string_view>
#include <vector>

#include "sdk/core/codec/llm.hpp"
#include "sdk/core/codec/websocket.hpp"
#include "sensor/correlate/byte_budget.hpp"
#include "sensor/correlate/exchange.hpp"
#include "sensor/correlate/protocol_reader.hpp"

namespace aispm::sensor {

// A realtime session, or Responses over a WebSocket: every response that the client or the server
// begins is a call, with what the client said since the one before as its prompt. `party` must
// outlive it.
class WebSocketReader : public ProtocolReader {
 public:
  // Responses under way at once; further ones are not followed.
  static constexpr std::size_t kMaxCalls = 8;
  // What the client said since the last response; more is left out, and the call is partial.
  static constexpr std::size_t kMaxPromptBytes = 1U << 20;

  WebSocketReader(codec::ApiRoute route, std::string_view host,
                  codec::websocket::Extensions extensions, const Party& party, Context context);

  void take(Sender sender, std::string_view bytes, BootTime time) override;
  void skip(Sender sender, std::uint64_t size, BootTime time) override;
  void close(BootTime time) override;
  bool has_pending() const override { return !calls_.empty(); }
  bool is_reading() const override { return !client_.is_lost(); }

 private:
  struct Call {
    explicit Call(codec::Api api) : reply(api) {}
    BootTime begun;
    model::LlmCall call;
    codec::StreamReply reply;
    bool has_reply = false;
  };
  using Message = codec::websocket::Message;

  void take_message(Sender sender, const Message& message, BootTime time);
  void take_client(std::string_view text, BootTime time);
  void take_server(std::string_view text, BootTime time);
  void add_prompt(std::string_view text);
  void begin_call(BootTime time);
  void end_call(bool is_whole, BootTime time);
  void end_all(BootTime time);
  void announce(Observation::Kind kind, const Call& call);
  void charge(BootTime time);
  codec::websocket::Reader& side_of(Sender sender) {
    return sender == Sender::kClient ? client_ : server_;
  }

  codec::ApiRoute route_;
  std::string host_;
  const Party& party_;
  Context context_;
  codec::websocket::Reader client_;
  codec::websocket::Reader server_;
  std::deque<std::unique_ptr<Call>> calls_;  // the server answers the first
  std::string model_;                        // of the session
  std::vector<std::string> tools_;
  std::string prompt_;
  bool prompt_is_partial_ = false;
  std::uint64_t prompt_bytes_ = 0;  // of the messages that made it
  ByteCharge charge_;
};

}  // namespace aispm::sensor
