// SPDX-License-Identifier: Apache-2.0
// The way out of a StreamRelay: events are held while a tool call is open, patched and written.
#include <algorithm>
#include <utility>

#include "gateway/proxy/decide/action_gate.hpp"
#include "gateway/proxy/pipeline/gemini_notice.hpp"
#include "gateway/proxy/pipeline/stream_relay_parts.hpp"

namespace aispm::gateway {

using codec::ChannelKind;
using codec::StreamEvent;
using model::Outcome;

// Where the client's view of the stream will stand once this event was sent.
void StreamRelay::track(const codec::SseEvent& sse, const StreamEvent& event, Outgoing& outgoing) {
  using Mark = Outgoing::Mark;
  outgoing.sequence_span = event.sequence_span;
  outgoing.sequence = event.sequence;
  if (is_responses() && event.type != StreamEvent::Type::kDelta) outgoing.mark = Mark::kResponses;
  if (options_.api == codec::Api::kAnthropicMessages) {
    outgoing.block = event.index;
    if (event.type == StreamEvent::Type::kStart)
      outgoing.mark = sse.event == "content_block_start" ? Mark::kBlockStart : Mark::kMessageStart;
    if (event.type == StreamEvent::Type::kStop) outgoing.mark = Mark::kBlockStop;
    return;
  }
  position_.started = true;
  auto& open = position_.open_choices;
  const auto add = [&](std::uint32_t choice) {
    if (std::find(open.begin(), open.end(), choice) == open.end()) open.push_back(choice);
  };
  // What follows a finish reason without words (usage in every chunk) begins nothing.
  has_finished_ = has_finished_ || !event.finished.empty();
  if (event.type == StreamEvent::Type::kStart && !is_gemini() && !has_finished_) add(event.index);
  for (const codec::ReplyText& delta : event.deltas)
    if (delta.channel.kind != ChannelKind::kOther) add(delta.channel.choice);
  for (const codec::ToolCall& call : event.calls) add(call.channel.choice);
  for (const std::uint32_t choice : event.finished) std::erase(open, choice);
}

void StreamRelay::emit(Outgoing outgoing, std::string& out) {
  const bool tool_open = std::any_of(lanes_.begin(), lanes_.end(), [](const auto& lane) {
    return lane->is_tool() && (!lane->closed || lane->awaits);
  });
  if (!tool_open) tell_calls();
  // The rest of a text that stands before the call need not wait for it.
  const bool may_pass = !tool_open || outgoing.is_extra;
  if (may_pass && held_.empty() && outgoing.arguments.empty()) return render(outgoing, out);
  outgoing.raw = {};
  held_bytes_ += outgoing.data.size() + sizeof outgoing;
  held_.push_back(std::move(outgoing));
  if (held_bytes_ > kMaxHeldBytes) {
    give_up("a tool call is larger than 4 MiB");
    return block(out);
  }
  if (!tool_open) release_held(out);
}

// All calls so far are whole and may leave.
void StreamRelay::tell_calls() {
  if (!options_.on_call) return;
  for (const auto& lane : lanes_)
    if (lane->is_tool() && !std::exchange(lane->told, true))
      options_.on_call(lane->tool, lane->arguments);
}

void StreamRelay::release_held(std::string& out) {
  const bool is_changed = std::any_of(lanes_.begin(), lanes_.end(), [](const auto& lane) {
    return lane->is_tool() && lane->changed;
  });
  for (Outgoing& outgoing : held_) {
    // Tokens of a call may stand in any event since its first.
    if (is_changed)
      for (const codec::JsonSpan& span : outgoing.logprobs)
        outgoing.patches.push_back({span, std::string(no_tokens(options_.api))});
    for (const auto& argument : outgoing.arguments) {
      // Closed lanes keep their channel, and indexes are not used twice for tools within one
      // choice.
      const auto lane = std::find_if(lanes_.begin(), lanes_.end(), [&](const auto& one) {
        return one->channel == argument.channel;
      });
      if (lane == lanes_.end() || !(*lane)->changed) continue;
      outgoing.patches.push_back(
          codec::string_patch(argument.span, (*lane)->delivered ? "" : (*lane)->arguments));
      (*lane)->delivered = true;
    }
    render(outgoing, out);
  }
  held_.clear();
  held_bytes_ = 0;
}

// Events are numbered, also where some were added.
void StreamRelay::number(Outgoing& outgoing) {
  if (outgoing.sequence_span.empty()) return;
  std::uint64_t& next = position_.responses.next_sequence;
  const std::uint64_t value = outgoing.is_extra ? next : outgoing.sequence + inserted_;
  if (outgoing.is_extra) ++inserted_;
  next = value + 1;
  if (value != outgoing.sequence || outgoing.is_extra)
    outgoing.patches.push_back({outgoing.sequence_span, std::to_string(value)});
}

std::string StreamRelay::frame(const Outgoing& outgoing, std::string_view data) {
  if (is_gemini()) return gemini_piece(options_.framing, position_.begun, data);
  if (options_.framing == codec::Framing::kLines) return std::string(data) + "\n";
  return codec::serialise_sse(outgoing.name, data);
}

void StreamRelay::render(Outgoing& outgoing, std::string& out) {
  using Mark = Outgoing::Mark;
  number(outgoing);
  if (outgoing.mark == Mark::kMessageStart) position_.started = true;
  if (outgoing.mark == Mark::kBlockStart) {
    position_.open_block = outgoing.block;
    position_.next_block = std::max(position_.next_block, outgoing.block + 1);
  }
  if (outgoing.mark == Mark::kBlockStop) position_.open_block.reset();
  if (outgoing.patches.empty()) {
    if (outgoing.mark == Mark::kResponses) position_.responses.note(outgoing.data);
    out += outgoing.raw.empty() ? frame(outgoing, outgoing.data) : std::string(outgoing.raw);
    return;
  }
  auto patched = codec::apply_patches(outgoing.data, std::move(outgoing.patches));
  if (!patched) {
    give_up(patched.error().message);
    return block(out);
  }
  if (outgoing.mark == Mark::kResponses) position_.responses.note(*patched);
  out += frame(outgoing, *patched);
}

void StreamRelay::block(std::string& out) {
  if (state_ != State::kRunning) return;
  state_ = State::kBlocked;
  held_.clear();
  findings_.verdict.decided = findings_.verdict.applied = Outcome::kDeny;
  position_.id = reply_.id();
  position_.model = reply_.model().empty() ? options_.model : reply_.model();
  if (const auto& usage = reply_.usage()) position_.output_tokens = usage->output_tokens;
  std::string why = failure_.empty() ? "rule " + std::string(findings_.verdict.rule_id)
                                     : "it could not be scanned";
  if (denied_action_) why = describe_denial(options_.gate->actions()[*denied_action_]);
  if (auto& open = position_.responses.open; open && open->type == "message") {
    // Some servers begin a part with its first text.
    const auto part = open->part.value_or(static_cast<std::uint32_t>(open->parts.size()));
    if (const Lane* const lane = find_lane({ChannelKind::kText, open->index, part})) {
      open->part = part;
      position_.shown = lane->shown;
    }
  }
  out += replace_rest(options_.api, position_,
                      "\n[AISPM stopped this reply: " + why + ", case " + options_.case_id + "]");
}

// Policy about the tool call, in the form in which the tool would get it.
bool StreamRelay::ask_gate(Lane& lane) {
  if (options_.gate == nullptr) return true;
  std::string_view tool;
  std::string id;
  for (const codec::ToolCall& call : reply_.tool_calls()) {
    if (call.channel != lane.channel) continue;
    tool = call.name;
    id = call.id;
  }
  ActionGate::Answer answer = options_.gate->judge({.tool = tool, .arguments = lane.arguments});
  if (answer.action < options_.gate->actions().size())
    options_.gate->actions()[answer.action].call_id = std::move(id);
  switch (answer.say) {
    case ActionGate::Say::kPass:
      return true;
    case ActionGate::Say::kChange:
      lane.arguments = std::move(answer.changed);
      lane.changed = true;
      ++findings_.redactions;
      return true;
    case ActionGate::Say::kWait:
      lane.awaits = answer.action;
      return true;
    case ActionGate::Say::kDeny:
      break;
  }
  denied_action_ = answer.action;
  return false;
}

std::optional<std::size_t> StreamRelay::waiting() const {
  for (const auto& lane : lanes_)
    if (lane->awaits) return lane->awaits;
  return std::nullopt;
}

StreamRelay::State StreamRelay::settle(std::size_t action, bool passes, std::string& out) {
  if (state_ != State::kWaiting) return state_;
  for (const auto& lane : lanes_)
    if (lane->awaits == action) lane->awaits.reset();
  if (!passes) {
    state_ = State::kRunning;
    denied_action_ = action;
    block(out);
    return state_;
  }
  if (waiting()) return state_;
  state_ = State::kRunning;
  const bool tool_open = std::any_of(lanes_.begin(), lanes_.end(), [](const auto& lane) {
    return lane->is_tool() && !lane->closed;
  });
  if (!tool_open) tell_calls();
  if (!tool_open) release_held(out);
  if (state_ == State::kRunning && is_past_end_) state_ = State::kEnded;
  return feed({}, out);
}

}  // namespace aispm::gateway
