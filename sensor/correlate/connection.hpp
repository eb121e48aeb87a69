// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <deque>
#include <memory>
#include <string>
#include <string_view>

#include "sdk/core/codec/http1.hpp"
#include "sensor/correlate/byte_budget.hpp"
#include "sensor/correlate/exchange.hpp"
#include "sensor/correlate/observation.hpp"

namespace aispm::sensor {

// Requests sent and not answered yet on one connection.
inline constexpr std::size_t kMaxPipelined = 32;
// A hole larger than this is not stepped over, whatever the framing says.
inline constexpr std::uint64_t kMaxGapBytes = 64U << 20;

// HTTP/1.1 on one TLS connection of a client process: what it writes are requests, what it reads
// are replies. Anything else (a server's side, HTTP/2, other protocols) is counted once and then
// ignored, and so is a direction after bytes that break its framing: guessing where a message
// starts would invent calls. Not thread-safe.
class Connection {
 public:
  Connection(Exchange::Context context, const TlsChunk& first);

  void take(const TlsChunk& chunk);
  // The connection or its process ended.
  void close(BootTime time);

  BootTime last_activity() const { return last_activity_; }
  bool has_pending() const;

 private:
  // Bytes of one direction, and where its framing stands.
  struct Side {
    Side(codec::http1::HeadParser::Role role, ByteBudget& budget) : heads(role), charge(budget) {}
    codec::http1::HeadParser heads;
    codec::http1::BodyReader body;
    bool in_body = false;
    bool is_lost = false;
    std::uint64_t next_offset = 0;
    bool begun = false;
    std::string buffer;  // a head that is not complete yet
    ByteCharge charge;
    BootTime message_time;  // of the first byte in `buffer`
  };

  bool is_client(const TlsChunk& chunk);
  void ignore(const TlsChunk& chunk, std::string_view what);
  // Steps over bytes that capture lost before `chunk`. False: the side is lost.
  void step_over(Side& side, std::uint64_t size, const TlsChunk& chunk);
  void take_bytes(Side& side, std::string_view bytes, const TlsChunk& chunk);
  // Gives the bytes used by a head, 0 when more are needed or the side is lost.
  std::size_t take_head(Side& side, std::string_view bytes, const TlsChunk& chunk);
  bool begin_request(const codec::http1::Head& head, const TlsChunk& chunk);
  bool begin_reply(const codec::http1::Head& head, const TlsChunk& chunk);
  std::size_t take_body(Side& side, std::string_view bytes, bool is_hole, const TlsChunk& chunk);
  void end_message(Side& side, const TlsChunk& chunk);
  void end_all(BootTime time);
  void lose(Side& side, std::string_view cause, std::string_view why);
  bool is_request_side(const Side& side) const { return &side == &writes_; }

  Exchange::Context context_;
  Side writes_;
  Side reads_;
  std::deque<std::unique_ptr<Exchange>>
      exchanges_;                // oldest first; the reply on the wire is the front's
  Exchange* sending_ = nullptr;  // whose request body is being written
  std::string last_host_;
  BootTime last_activity_;
  bool role_known_ = false;
  bool is_ignored_ = false;
};

}  // namespace aispm::sensor
