// SPDX-License-Identifier: Apache-2.0
// What a StreamRelay does with what comes whole: tool calls, and texts that are said again.
#include <algorithm>

#include "gateway/proxy/pipeline/gemini_notice.hpp"
#include "gateway/proxy/pipeline/seam_judge.hpp"
#include "gateway/proxy/pipeline/stream_relay_parts.hpp"
#include "gateway/proxy/pipeline/text_judge.hpp"
#include "sdk/core/codec/json_tree.hpp"

namespace aispm::gateway {

using codec::ChannelKind;

namespace {

// Shorter ones may be equal by chance.
constexpr std::size_t kSaidAgainBytes = 4;
// Fields of a stream that are followed from event to event.
constexpr std::size_t kMaxTails = 4096;

}  // namespace

// The arguments of a tool are whole: they are judged as in a reply that comes whole.
bool StreamRelay::close_tool(Lane& lane) {
  lane.said = lane.arguments;
  for (const codec::ToolCall& call : reply_.tool_calls())
    if (call.channel == lane.channel) lane.tool = call.name;
  const auto misnamed = scan_tool_name(context_, lane.tool, findings_);
  if (!misnamed) return give_up(misnamed.error().message);
  if (*misnamed) return false;
  TextJudge judge(context_, policy::Direction::kReply, findings_);
  const detect::Outcomes& outcomes = context_.tables->of_reply(lane.surface);
  const auto judged = judge.judge(lane.arguments, {.surface = lane.surface, .outcomes = &outcomes});
  if (!judged) return give_up(judged.error().message);
  if (judged->denied) return false;
  auto hidden = scan_unescaped(context_, lane.arguments, lane.surface, outcomes, findings_,
                               policy::Direction::kReply);
  if (!hidden) return give_up(hidden.error().message);
  if (*hidden) return false;
  if (judged->redacts) {
    std::string clean;
    findings_.redactions += judge.cut_out(lane.arguments, clean);
    lane.arguments = std::move(clean);
    lane.changed = true;
  }
  if (context_.vault) {
    std::string whole;
    const std::size_t count = context_.vault->restore(lane.arguments, true, whole);
    if (count > 0) lane.arguments = std::move(whole);
    lane.changed = lane.changed || count > 0;
    restored_ += count;
  }
  return in_time() && ask_gate(lane);
}

// Strings outside the text channels come whole: each is judged by itself.
bool StreamRelay::check_other(const codec::ReplyText& text, Outgoing& outgoing) {
  if (text.text.empty()) return true;
  const detect::Surface surface = surface_of(text.channel.kind);
  TextJudge judge(context_, policy::Direction::kReply, findings_);
  auto judged = judge.judge(
      text.text, {.surface = surface,
                  .outcomes = &context_.tables->of_reply(surface),
                  .editable = !text.is_key && !is_sealed(options_.api, text.channel.kind)});
  if (!judged || judged->denied) {
    outgoing.withheld = true;
    return judged ? false : give_up(judged.error().message);
  }
  if (judged->redacts) {
    std::string clean;
    findings_.redactions += judge.cut_out(text.text, clean);
    outgoing.patches.push_back(codec::string_patch(text.span, clean));
  }
  return in_time();
}

// Such a string may be a piece all the same: of a field that we do not know, or of code that a
// provider runs. What stood there before has left, so what goes across can only end the stream.
bool StreamRelay::check_piece(const codec::ReplyText& text, std::size_t place, Outgoing& outgoing) {
  const std::size_t patches = outgoing.patches.size();
  const std::uint64_t found_before = findings_.detections.size() + findings_.dropped;
  if (!check_other(text, outgoing)) return false;
  if (text.is_key || text.text.empty()) return true;
  const std::pair key{text.channel, place};
  auto found = tails_.find(key);
  if (found == tails_.end()) {
    if (tails_.size() >= kMaxTails)
      return give_up("it has more than " + std::to_string(kMaxTails) +
                     " fields that are not known");
    found = tails_.try_emplace(key).first;
  }
  Tail& tail = found->second;
  if (outgoing.patches.size() != patches ||
      findings_.detections.size() + findings_.dropped != found_before) {
    tail = {};  // what was found is told of, and no beginning of anything else
    return true;
  }
  // A name or an address that every event says.
  if (text.text.size() >= kSaidAgainBytes && text.text == tail.last) return true;
  const bool is_first = tail.text.empty();
  const std::string joined = tail.text + std::string(text.text.substr(0, kTailBytes));
  tail.last = text.text.size() <= kTailBytes ? std::string(text.text) : std::string();
  tail.text += text.text;
  tail.text.erase(0, tail.text.size() - std::min(tail.text.size(), kTailBytes));
  if (is_first) return true;
  Findings seen;
  TextJudge judge(context_, policy::Direction::kReply, seen);
  const detect::Surface surface = surface_of(text.channel.kind);
  const auto judged = judge.judge(joined, {.surface = surface,
                                           .outcomes = &context_.tables->of_reply(surface),
                                           .classify = false,
                                           .editable = false});
  findings_.late += seen.late;
  findings_.cut += seen.cut;
  for (model::Detection& detection : seen.detections)
    if (told_.insert(detection.rule_id).second) findings_.add(std::move(detection));
  strengthen(findings_.verdict, seen.verdict);
  if (judged && !judged->denied) return in_time();
  outgoing.withheld = true;
  return judged ? false : give_up(judged.error().message);
}

// A tool call that one event says whole: the first time it is judged, again it must be the same.
bool StreamRelay::take_call(const codec::ToolCall& call, Outgoing& outgoing) {
  Lane* lane = find_lane(call.channel);
  if (lane == nullptr) lane = &lane_for(call.channel);
  if (!lane->closed) {
    if (lane->arguments.empty()) lane->arguments = call.arguments;
    lane->closed = true;
    if (!close_tool(*lane)) return false;
  }
  if (lane->said != call.arguments || lane->tool != call.name)
    return give_up("a tool call is said again in other words");
  if (lane->changed && call.arguments_are_text) {
    outgoing.patches.push_back(codec::string_patch(call.arguments_span, lane->arguments));
  } else if (lane->changed) {
    codec::JsonTree tree;
    if (!tree.read(lane->arguments, codec::kMaxJsonDepth))
      return give_up("what must be cut out of a tool call cannot be");
    outgoing.patches.push_back({call.arguments_span, lane->arguments});
  }
  return true;
}

// A text that says again what its channel said: the client gets again what it got. Anything else is
// a text of its own.
bool StreamRelay::take_repeat(const codec::ReplyText& text, std::vector<Piece>& pieces,
                              Outgoing& outgoing, std::string& out) {
  const bool is_tool = text.channel.kind == ChannelKind::kToolArguments;
  Lane* const lane = is_tool ? nullptr : find_lane(text.channel);
  if (lane != nullptr && !lane->closed && !close_lane(*lane, pieces, out)) {
    outgoing.withheld = true;
    return false;
  }
  if (lane != nullptr && !lane->is_long && lane->said == text.text) {
    if (lane->shown != lane->said)
      outgoing.patches.push_back(codec::string_patch(text.span, lane->shown));
    return true;
  }
  const std::size_t before = outgoing.patches.size();
  if (!check_other(text, outgoing)) return false;
  const bool is_new = text.channel.kind == ChannelKind::kText && !text.is_repeat;
  if (!is_new || released_text_.size() >= codec::kMaxKeptReplyBytes) return true;
  if (outgoing.patches.size() == before) {
    released_text_ += text.text;
  } else if (auto clean = codec::json_unescape(outgoing.patches.back().json)) {
    released_text_ += *clean;
  }
  return true;
}

// Where a whole tool call, or all a piece may hold, came with a text, the event cannot be sent
// again to carry the text's rest: an empty one of our own will.
bool StreamRelay::carry_alone(Lane& lane, const codec::StreamEvent& event) {
  const bool is_ollama = dialect_of(options_.api) == Dialect::kOllama && !event.calls.empty();
  if (!is_gemini() && !is_ollama) return false;
  StreamPosition position = position_;
  position.id = reply_.id();
  position.model = reply_.model().empty() ? options_.model : reply_.model();
  StreamCarrier carrier = is_ollama ? carry_ollama(options_.api, position, lane.channel)
                                    : carry_gemini(position, lane.channel);
  lane.spare_name.clear();
  lane.spare_data = std::move(carrier.data);
  lane.spare_span = carrier.span;
  lane.spare_sequence = {};
  lane.spare_patches.clear();
  return true;
}

void StreamRelay::keep_said(Lane& lane, std::string_view text) {
  said_bytes_ += text.size();
  lane.is_long = lane.is_long || said_bytes_ > codec::kMaxKeptReplyBytes;
  if (lane.is_long) {
    lane.said.clear();
    lane.shown.clear();
  } else {
    lane.said += text;
  }
}

// The newest lane of the channel, also a closed one.
StreamRelay::Lane* StreamRelay::find_lane(const codec::Channel& channel) {
  const auto found = std::find_if(lanes_.rbegin(), lanes_.rend(),
                                  [&](const auto& lane) { return lane->channel == channel; });
  return found == lanes_.rend() ? nullptr : found->get();
}

// Clients show the texts of a reply in a row, and put the thoughts of a channel together: what
// begins in the one before may end here. That one has left, so what goes across can only end the
// stream. The first text of a reply costs nothing.
bool StreamRelay::read_seam(Lane& lane, std::string_view released) {
  constexpr std::size_t kBytes = SeamJudge::kBytes;
  const bool is_text = lane.channel.kind == ChannelKind::kText;
  const bool is_thought = lane.channel.kind == ChannelKind::kReasoning;
  if ((!is_text && !is_thought) || released.empty() || lane.head.size() >= kBytes) return true;
  if (lane.head.empty()) {
    const auto stands_before = [&](const Lane& one) {
      if (!is_text) return one.channel == lane.channel;
      const bool is_near = is_responses() || one.channel.choice == lane.channel.choice;
      return one.channel.kind == ChannelKind::kText && is_near;
    };
    const Lane* last = nullptr;
    for (const auto& one : lanes_) {
      if (one.get() == &lane) break;
      if (stands_before(*one) && !one->unread.empty()) last = one.get();
    }
    if (last == nullptr) return true;
    lane.before = last->before + last->unread;
    lane.before.erase(0, lane.before.size() - std::min(lane.before.size(), kBytes));
  }
  lane.head += released.substr(0, kBytes - lane.head.size());
  SeamJudge seam(context_, policy::Direction::kReply, findings_);
  seam.add(lane.before);
  seam.add(lane.head);
  const auto denied = seam.judge(lane.surface, context_.tables->of_reply(lane.surface));
  if (!denied) return give_up(denied.error().message);
  return !*denied && in_time();
}

// What the model was told, by what was released so far.
bool StreamRelay::gives_away(Lane& lane, std::string_view released) {
  if (!lane.leaks || released.empty()) return false;
  std::vector<model::Detection> found;
  lane.leaks->feed(released, found);
  if (found.empty() || take_leaks(context_, std::move(found), findings_)) return false;
  findings_.verdict.decided = findings_.verdict.applied = model::Outcome::kDeny;
  return true;
}

// A text behind one that has ended goes on with what that one gave away.
void StreamRelay::take_over_leaks(Lane& lane) {
  const auto before = std::find_if(lanes_.rbegin(), lanes_.rend(), [&](const auto& one) {
    return one->leaks && one->closed && one->channel.kind == lane.channel.kind &&
           (is_responses() || one->channel.choice == lane.channel.choice);
  });
  if (before != lanes_.rend()) lane.leaks = std::move((*before)->leaks);
}

}  // namespace aispm::gateway
