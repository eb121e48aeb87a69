// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <deque>
#include <memory>
#include <optional>
#include <string>
#include <string_view>

#include "sdk/core/codec/http1.hpp"
#include "sdk/core/codec/llm_api.hpp"
#include "sensor/correlate/byte_budget.hpp"
#include "sensor/correlate/exchange.hpp"
#include "sensor/correlate/protocol_reader.hpp"

namespace aispm::sensor {

// Requests sent and not answered yet on one connection.
inline constexpr std::size_t kMaxPipelined = 32;

// HTTP/1.1 of one connection. `party` must outlive it.
class Http1Reader : public ProtocolReader {
 public:
  Http1Reader(const Party& party, Context context);

  void take(Sender sender, std::string_view bytes, BootTime time) override;
  void skip(Sender sender, std::uint64_t size, BootTime time) override;
  void close(BootTime time) override;
  bool has_pending() const override;
  bool is_reading() const override { return !requests_.is_lost || upgraded_ != nullptr; }

 private:
  // One direction, and where its framing stands.
  struct Side {
    Side(codec::http1::HeadParser::Role role, ByteBudget& budget) : heads(role), charge(budget) {}
    codec::http1::HeadParser heads;
    codec::http1::BodyReader body;
    bool in_body = false;
    bool is_lost = false;
    std::string buffer;  // a head that is not complete yet
    ByteCharge charge;
    BootTime message_time;  // of the first byte in `buffer`
  };

  Side& side_of(Sender sender) { return sender == Sender::kClient ? requests_ : replies_; }
  bool is_request_side(const Side& side) const { return &side == &requests_; }
  std::size_t take_head(Side& side, std::string_view bytes, BootTime time);
  bool begin_request(const codec::http1::Head& head);
  bool begin_reply(const codec::http1::Head& head, BootTime time);
  std::size_t take_body(Side& side, std::string_view bytes, bool is_hole, BootTime time);
  void end_message(Side& side, BootTime time);
  void end_all(BootTime time);
  void note_upgrade(const codec::http1::Head& request);
  void begin_tunnel(const codec::http1::Head& reply, BootTime time);
  void lose(Side& side, std::string_view cause, std::string_view why, BootTime time);

  const Party& party_;
  Context context_;
  Side requests_;
  Side replies_;
  std::deque<std::unique_ptr<Exchange>>
      exchanges_;                // oldest first; the reply on the wire is the front's
  Exchange* sending_ = nullptr;  // whose request body is being sent
  std::string last_host_;
  // What a request asked to change to: read when the server agrees.
  std::optional<codec::ApiRoute> upgrade_;
  std::string upgrade_host_;
  bool is_tunnel_ = false;                    // no HTTP follows in either direction
  std::unique_ptr<ProtocolReader> upgraded_;  // reads what follows, where we can
};

}  // namespace aispm::sensor
