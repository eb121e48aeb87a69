// SPDX-License-Identifier: Apache-2.0
// When a channel of a StreamRelay is complete, and what becomes of its rest.
#include <algorithm>
#include <utility>

#include "gateway/proxy/pipeline/stream_relay_parts.hpp"

namespace aispm::gateway {

using codec::ChannelKind;
using codec::StreamEvent;

namespace {

// Whoever changes between thoughts and text with every piece gets no scanner for each of them.
constexpr std::size_t kMaxLeftLanes = 64;

}  // namespace

// The model goes on with something else: from thoughts to text, or to a tool call. What the channel
// still holds belongs before that. Clients show, keep and sign texts in the order in which they
// come. Should the channel go on all the same, its next lane reads across the seam.
bool StreamRelay::moves_on(const StreamEvent& event, const Lane& lane) const {
  if (is_responses() || lane.is_tool() || lanes_.size() >= kMaxLeftLanes) return false;
  if (options_.api == codec::Api::kAnthropicMessages)
    return event.signs_thought && lane.channel.kind == ChannelKind::kReasoning &&
           lane.channel.index == event.index;
  const auto& calls = reply_.tool_calls();
  for (std::size_t i = begun_tools_; i < known_tools_; ++i)
    if (calls[i].channel.choice == lane.channel.choice) return true;
  bool is_left = false;
  for (const codec::ReplyText& text : event.deltas)
    if (text.channel.choice == lane.channel.choice && text.channel.kind != ChannelKind::kOther)
      is_left = text.channel.kind != lane.channel.kind;
  return is_left;
}

bool StreamRelay::closes(const StreamEvent& event, const Lane& lane) const {
  if (lane.closed) return false;
  if (moves_on(event, lane)) return true;
  switch (event.type) {
    case StreamEvent::Type::kStop:
      return (is_responses() ? lane.channel.choice : lane.channel.index) == event.index;
    case StreamEvent::Type::kFinish:
      return options_.api == codec::Api::kAnthropicMessages ||
             std::find(event.finished.begin(), event.finished.end(), lane.channel.choice) !=
                 event.finished.end();
    case StreamEvent::Type::kEnd:
      return true;
    default:
      return false;
  }
}

bool StreamRelay::close_lanes(const StreamEvent& event, std::vector<Piece>& pieces,
                              std::string& out) {
  for (std::size_t i = 0; i < lanes_.size(); ++i)
    if (closes(event, *lanes_[i]) && !close_lane(*lanes_[i], pieces, out)) return false;
  return true;
}

// The channel is complete: its rest goes into this event's piece of it, else into an event of its
// own before this one.
bool StreamRelay::close_lane(Lane& lane, std::vector<Piece>& pieces, std::string& out) {
  lane.closed = true;
  if (lane.is_tool()) return close_tool(lane);
  Piece last{&lane, {}, {}, {}, {}};
  if (!pass_rest(lane, last)) return false;
  const std::string& rest = last.release;
  if (rest.empty()) return true;
  const auto own = std::find_if(pieces.rbegin(), pieces.rend(),
                                [&](const Piece& piece) { return piece.lane == &lane; });
  if (own != pieces.rend()) {
    own->release += rest;
    own->kept += last.kept;
    return true;
  }
  if (lane.channel.kind == ChannelKind::kText && released_text_.size() < codec::kMaxKeptReplyBytes)
    released_text_ += last.kept;
  if (is_responses() && !lane.is_long) lane.shown += rest;
  Outgoing extra;
  extra.is_extra = true;
  extra.sequence_span = lane.spare_sequence;
  extra.name = std::move(lane.spare_name);
  extra.data = std::move(lane.spare_data);
  extra.patches = std::move(lane.spare_patches);
  extra.patches.push_back(codec::string_patch(lane.spare_span, rest));
  emit(std::move(extra), out);
  return true;
}

}  // namespace aispm::gateway
