// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "sdk/core/codec/sse.hpp"
#include "sensor/correlate/agent_servers.hpp"
#include "sensor/correlate/exchange.hpp"
#include "sensor/correlate/reply_reader.hpp"

namespace aispm::sensor {

// Body bytes by which JSON-RPC shows; the rest of a body that does not is not kept.
inline constexpr std::size_t kRpcHintBytes = 4096;

// An HTTP exchange that may carry MCP or A2A: a POST of JSON, an event stream that a client listens
// to, or an agent card. What turns out to be something else is let go without a word.
class AgentExchange : public Exchange {
 public:
  enum class Role : std::uint8_t { kPost, kListen, kCard };

  // nullopt: such a request carries none of these.
  static std::optional<Role> role_of(const RequestHead& head);

  AgentExchange(Role role, const RequestHead& head, const Party& party, BootTime begun,
                Context context);

  bool is_pending() const override { return !ids_.empty(); }
  void take_request(std::string_view bytes) override;
  void skip_request(std::uint64_t size) override;
  void end_request(bool is_whole, BootTime time) override;
  void begin_reply(const ReplyHead& head, BootTime time) override;
  void take_reply(std::string_view bytes, BootTime time) override;
  void skip_reply(std::uint64_t size) override;
  void end(bool is_whole, BootTime time) override;

 private:
  enum class Reply : std::uint8_t { kNone, kJson, kEvents };

  AgentTalk& talk(BootTime now) { return context_.agents.talk(party_, host_, now, context_); }
  AgentTalk::Flow flow(Sender sender, BootTime time, std::uint64_t bytes) const;
  // Keeps decoded bytes in `body_`; false: no more room, and the body is given up.
  bool keep(std::string_view piece);
  bool may_be_rpc() const;
  void drop_body();
  void take_messages(std::string_view text, Sender sender, BootTime time);
  void take_events(BootTime time);
  void take_event(const codec::SseEvent& event, BootTime time);
  void read_json_reply(BootTime time);

  Role role_;
  Context context_;
  const Party& party_;
  BootTime begun_;
  std::string host_;
  std::string session_;
  std::optional<DecodedBody> decoded_;
  ByteCharge charge_;
  std::string body_;
  bool given_up_ = false;
  bool request_ended_ = false;
  bool is_partial_ = false;
  std::uint16_t status_ = 0;
  Reply reply_ = Reply::kNone;
  codec::SseParser events_{kMaxKeptBodyBytes};
  std::vector<std::string> ids_;  // requests that this exchange carried
};

}  // namespace aispm::sensor
