// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <cstdint>
#include <map>
#include <memory>
#include <string>
#include <string_view>

#include "sdk/core/codec/http2.hpp"
#include "sensor/correlate/byte_budget.hpp"
#include "sensor/correlate/exchange.hpp"
#include "sensor/correlate/protocol_reader.hpp"

namespace aispm::sensor {

// HTTP/2 of one connection: each stream is one exchange. Joined midway, fields that refer to tables
// of before are unknown: a request without its path is nobody's call. `party` must outlive it.
class Http2Reader : public ProtocolReader {
 public:
  Http2Reader(const Party& party, Context context, bool from_start);

  void take(Sender sender, std::string_view bytes, BootTime time) override;
  void skip(Sender sender, std::uint64_t size, BootTime time) override;
  void close(BootTime time) override;
  bool has_pending() const override;
  bool is_reading() const override { return !observer_.is_lost(codec::http2::Side::kClient); }

 private:
  using Streams = std::map<std::uint32_t, std::unique_ptr<Exchange>>;

  void take_event(const codec::http2::Event& event, BootTime time);
  void begin_stream(const codec::http2::Event& event, BootTime time);
  void take_body(const codec::http2::Event& event, BootTime time);
  void end_stream(std::uint32_t id, bool is_whole, BootTime time);
  void lose(const codec::http2::Event& event, BootTime time);
  void end_all(BootTime time);
  void charge(BootTime time);

  const Party& party_;
  Context context_;
  codec::http2::Observer observer_;
  Streams streams_;
  ByteCharge charge_;
  std::string last_host_;
  bool is_closed_ = false;
};

}  // namespace aispm::sensor
