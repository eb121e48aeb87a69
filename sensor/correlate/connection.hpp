// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <memory>
#include <string>
#include <string_view>

#include "sensor/correlate/byte_order.hpp"
#include "sensor/correlate/exchange.hpp"
#include "sensor/correlate/party.hpp"
#include "sensor/correlate/protocol_reader.hpp"

namespace aispm::sensor {

// One stream, of whatever source: puts its bytes in order, finds out which end was looked at and
// which protocol it speaks, and hands them to the reader of that protocol. Protocols that we do not
// read are counted once and then ignored. Not thread-safe.
//
// A stream seen from its start is decided by its first bytes: who sends a request is the client.
// One joined midway is decided by the first chunk that begins with a whole request line; what came
// before it belongs to exchanges that nobody can tell any more.
class Connection {
 public:
  Connection(Context context, const StreamChunk& first);

  void take(const StreamChunk& chunk);
  // The stream or its process ended.
  void close(BootTime time);

  BootTime last_activity() const { return last_activity_; }
  bool has_pending() const { return reader_ && reader_->has_pending(); }
  const Party& party() const { return party_; }
  // Its requests are understood and reported from here.
  bool is_reading() const { return reader_ && reader_->is_reading(); }

 private:
  Sender sender_of(Direction direction) const;
  void update_party(const StreamChunk& chunk);
  void choose_reader(Direction direction, std::string_view bytes, const StreamChunk& chunk);
  void ignore(bool from_start);

  Context context_;
  Party party_;
  ByteOrder reads_;
  ByteOrder writes_;
  std::unique_ptr<ProtocolReader> reader_;
  std::string opening_;  // first bytes, too few yet to tell the protocol
  Direction opening_direction_ = Direction::kWrite;
  BootTime last_activity_;
  bool is_ignored_ = false;
  bool joined_midway_ = false;  // bytes were lost before anything was understood
  bool counted_midway_ = false;
};

}  // namespace aispm::sensor
