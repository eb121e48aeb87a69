// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <string_view>

#include "sdk/core/codec/line_framer.hpp"
#include "sensor/correlate/agent_talk.hpp"
#include "sensor/correlate/byte_budget.hpp"
#include "sensor/correlate/protocol_reader.hpp"

namespace aispm::sensor {

// MCP over a child's stdin and stdout: one JSON-RPC message a line. The parent is the client. A
// child that shows no JSON-RPC within its first lines is none of our business. `party` must outlive
// it.
class StdioReader : public ProtocolReader {
 public:
  // Lines without a message after which we stop to read, unless there were messages before.
  static constexpr std::size_t kMaxOtherLines = 64;

  StdioReader(const Party& party, Context context, bool from_start);

  void take(Sender sender, std::string_view bytes, BootTime time) override;
  void skip(Sender sender, std::uint64_t size, BootTime time) override;
  void close(BootTime time) override;
  bool has_pending() const override { return talk_.has_pending(); }
  bool is_reading() const override { return !given_up_; }

 private:
  struct Side {
    explicit Side(ByteBudget& budget) : charge(budget) {}
    codec::StdioFramer lines;
    ByteCharge charge;
    std::uint64_t dropped = 0;       // lines, as counted so far
    bool is_first_line_cut = false;  // joined in the middle of a line, maybe
    BootTime line_time;              // of the first bytes of the line held
  };

  Side& side_of(Sender sender) { return sender == Sender::kClient ? requests_ : answers_; }
  void take_line(Side& side, Sender sender, std::string_view line, BootTime time);
  void count_dropped(Side& side);
  void give_up();

  const Party& party_;
  Context context_;
  AgentTalk talk_;
  Side requests_;
  Side answers_;
  bool had_gap_ = false;  // a line was lost: what is not answered may have been
  std::size_t other_lines_ = 0;
  bool had_message_ = false;
  bool given_up_ = false;
};

}  // namespace aispm::sensor
