// SPDX-License-Identifier: Apache-2.0
#include "sensor/correlate/stdio_reader.hpp"

namespace aispm::sensor {

StdioReader::StdioReader(const Party& party, Context context, bool from_start)
    : party_(party),
      context_(context),
      talk_("stdio", "", context.budget),
      requests_(context.budget),
      answers_(context.budget) {
  requests_.is_first_line_cut = answers_.is_first_line_cut = !from_start;
}

void StdioReader::take(Sender sender, std::string_view bytes, BootTime time) {
  if (given_up_) return;
  Side& side = side_of(sender);
  if (!side.charge.resize(side.lines.held_bytes() + bytes.size())) {
    context_.counters.lose("memory.rpc");
    return give_up();
  }
  if (side.lines.held_bytes() == 0) side.line_time = time;
  side.lines.feed(bytes);
  while (const auto line = side.lines.next()) {
    take_line(side, sender, *line, time);
    if (given_up_) return;
    side.line_time = time;
  }
  count_dropped(side);
  (void)side.charge.resize(side.lines.held_bytes());
}

void StdioReader::take_line(Side& side, Sender sender, std::string_view line, BootTime time) {
  const bool may_be_cut = std::exchange(side.is_first_line_cut, false);
  const bool is_json = line.front() == '{' || line.front() == '[';
  const auto messages = is_json ? codec::parse_agent_messages(line)
                                : Result<std::vector<codec::AgentMessage>>(
                                      fail(Errc::kInvalid, "a line that is no JSON"));
  if (!messages) {
    // Servers print to their stdout what they should not; that is no message.
    if (is_json && had_message_ && !may_be_cut)
      context_.counters.fail("rpc.malformed", messages.error().message);
    if (!had_message_ && ++other_lines_ > kMaxOtherLines) {
      context_.counters.note("ignored.not_rpc");
      give_up();
    }
    return;
  }
  if (!had_message_) context_.counters.note("rpc.stdio_streams");
  had_message_ = true;
  const BootTime when = sender == Sender::kClient ? side.line_time : time;
  const AgentTalk::Flow flow{party_, sender, when, line.size() / messages->size(), {}, had_gap_};
  for (const codec::AgentMessage& message : *messages) talk_.take(message, flow, context_);
}

void StdioReader::skip(Sender sender, std::uint64_t, BootTime) {
  if (given_up_) return;
  side_of(sender).lines.skip();
}

// A line too long, or with a hole, may have been a request or an answer.
void StdioReader::count_dropped(Side& side) {
  const std::uint64_t dropped = side.lines.dropped_lines();
  if (dropped == side.dropped) return;
  context_.counters.lose("rpc.lines_dropped", dropped - side.dropped);
  side.dropped = dropped;
}

void StdioReader::give_up() {
  given_up_ = true;
  for (Side* side : {&requests_, &answers_}) {
    side->lines = codec::StdioFramer();
    (void)side->charge.resize(0);
  }
}

void StdioReader::close(BootTime time) {
  if (!given_up_) {
    if (const auto line = answers_.lines.finish())
      take_line(answers_, Sender::kServer, *line, time);
    for (Side* side : {&requests_, &answers_}) count_dropped(*side);
  }
  talk_.close(time, context_);
  give_up();
}

}  // namespace aispm::sensor
