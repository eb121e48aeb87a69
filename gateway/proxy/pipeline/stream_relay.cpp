// SPDX-License-Identifier: Apache-2.0
#include "gateway/proxy/pipeline/stream_relay.hpp"

#include <algorithm>

#include "gateway/proxy/pipeline/stream_relay_parts.hpp"
#include "gateway/proxy/pipeline/text_judge.hpp"

namespace aispm::gateway {

using codec::ChannelKind;
using codec::StreamEvent;
using model::Outcome;

namespace {

// Event names are protocol words; anything else could carry text past the scanner.
bool is_event_name(std::string_view name) {
  return name.size() <= 64 && std::all_of(name.begin(), name.end(), [](char c) {
           return (c >= 'a' && c <= 'z') || (c >= '0' && c <= '9') || c == '_' || c == '.';
         });
}

// Nothing in the event's bytes but its name and data.
bool is_bare(const codec::SseEvent& sse) {
  if (!sse.single_line || !sse.terminated) return false;
  const std::size_t name =
      sse.event.empty() ? 0 : std::string_view("event: \n").size() + sse.event.size();
  return sse.raw.size() == name + std::string_view("data: \n\n").size() + sse.data.size();
}

// Numbers at most, under names of their own: llama.cpp's `timings`.
bool has_no_words(const StreamEvent& event) {
  return std::all_of(event.deltas.begin(), event.deltas.end(),
                     [](const codec::ReplyText& text) { return text.is_key; });
}

// Responses: texts of this event are not new but what there is so far.
bool says_again(const StreamEvent& event) {
  using Type = StreamEvent::Type;
  return event.type == Type::kRepeat || event.type == Type::kStop || event.type == Type::kEnd ||
         event.type == Type::kError;
}

// Within the arguments of a call that the event says whole, which are judged together.
bool is_argument(const StreamEvent& event, const codec::ReplyText& text) {
  return std::any_of(event.calls.begin(), event.calls.end(), [&](const codec::ToolCall& call) {
    return call.arguments_span.begin <= text.span.begin && text.span.end <= call.arguments_span.end;
  });
}

}  // namespace

StreamRelay::StreamRelay(const ScanContext& context, Options options)
    : context_(context),
      options_(std::move(options)),
      framer_(options_.framing),
      reply_(options_.api) {
  position_.created = options_.now;
  position_.framing = options_.framing;
  position_.ends_complete = options_.ends_complete;
}

StreamRelay::~StreamRelay() = default;

StreamRelay::State StreamRelay::feed(std::string_view bytes, std::string& out) {
  if (state_ != State::kRunning) return state_;
  framer_.feed(bytes);
  while (state_ == State::kRunning) {
    auto event = framer_.next();
    const bool lost = framer_.dropped_lines() > 0;
    if (!event || lost) {
      give_up(lost ? "a line is longer than 1 MiB" : event.error().message);
      block(out);
      break;
    }
    if (!*event) break;
    take(**event, out);
  }
  return state_;
}

StreamRelay::State StreamRelay::finish(std::string& out, std::string_view why) {
  const bool is_broken_off = state_ == State::kWaiting && !why.empty();
  if (state_ != State::kRunning && !is_broken_off) return state_;
  if (!is_broken_off) {
    if (auto last = framer_.finish(); last && *last && (*last)->has_data) take(**last, out);
    if (state_ != State::kRunning) return state_;
  }
  // Some OpenAI-compatible servers leave out [DONE], and Gemini has none; an answer whose choices
  // all have their finish reason is whole.
  const bool may_just_end = options_.api == codec::Api::kOpenAiChat ||
                            options_.api == codec::Api::kOpenAiCompletions || is_gemini();
  const bool whole =
      why.empty() && may_just_end && position_.started && position_.open_choices.empty();
  if (whole && held_.empty()) {
    if (options_.framing == codec::Framing::kArray) out += "]";
    return state_ = State::kEnded;
  }
  failure_ = "the upstream ended the stream early" +
             (why.empty() ? std::string() : ": " + std::string(why));
  out += stream_error(options_.api, position_,
                      {.kind = RefusalKind::kUpstream,
                       .message = "AISPM: " + failure_,
                       .decision = {},
                       .case_id = {}});
  return state_ = State::kBroken;
}

void StreamRelay::take(const codec::SseEvent& sse, std::string& out) {
  if (!sse.has_data) {
    // A sign of life without the upstream's words.
    if (options_.framing == codec::Framing::kSse && !is_gemini()) out += ":\n\n";
    return;
  }
  auto read = reply_.read(sse);
  // The provider died within an event: nothing of it leaves, and finish() tells what happened.
  // Taken for something that cannot be scanned it would be a denial, which holds for the next
  // attempt, too.
  if (!sse.terminated && (!read || sse.data.empty())) return;
  if (const auto mended = read ? std::nullopt : codec::mend_surrogates(sse.data)) {
    codec::SseEvent again = sse;
    again.data = *mended;
    again.single_line = false;  // `raw` is not what is sent
    return take(again, out);
  }
  if (!read || !is_event_name(sse.event)) {
    give_up(read ? "an event has a strange name" : read.error().message);
    return block(out);
  }
  const StreamEvent& event = **read;
  if (event.type == StreamEvent::Type::kUsage && options_.strip_usage && has_no_words(event))
    return;
  open_tools();
  Outgoing outgoing;
  outgoing.name = sse.event;
  if (options_.framing == codec::Framing::kSse && is_bare(sse)) outgoing.raw = sse.raw;
  track(sse, event, outgoing);

  std::vector<Piece> pieces;
  outgoing.data = sse.data;
  const bool clean = read_pieces(event, pieces, outgoing, out) && close_lanes(event, pieces, out);
  const bool ends =
      event.type == StreamEvent::Type::kFinish || event.type == StreamEvent::Type::kEnd;
  if (!clean && (ends || !held_.empty())) return block(out);
  for (Piece& piece : pieces) {
    if (piece.lane->is_tool()) {
      outgoing.arguments.push_back({piece.lane->channel, piece.span});
    } else if (piece.release != piece.text) {
      outgoing.patches.push_back(codec::string_patch(piece.span, piece.release));
    }
    if (!piece.lane->is_tool() && is_responses() && !piece.lane->is_long)
      piece.lane->shown += piece.release;
    if (piece.lane->channel.kind == ChannelKind::kText &&
        released_text_.size() < codec::kMaxKeptReplyBytes)
      released_text_ += piece.kept;
  }
  // The last event may say all of the reply again, as tokens.
  if (!outgoing.patches.empty() || (ends && findings_.redactions > 0)) {
    for (const codec::JsonSpan& span : event.logprobs)
      outgoing.patches.push_back({span, std::string(no_tokens(options_.api))});
  } else {
    outgoing.logprobs = event.logprobs;
  }
  for (Piece& piece : pieces) {
    Lane& lane = *piece.lane;
    if (lane.is_tool() || lane.closed || lane.held_bytes() == 0 || carry_alone(lane, event))
      continue;
    lane.spare_name = outgoing.name;
    lane.spare_data = outgoing.data;
    lane.spare_span = piece.span;
    lane.spare_sequence = event.sequence_span;
    lane.spare_patches.clear();
    for (const Piece& other : pieces)
      if (other.span != piece.span)
        lane.spare_patches.push_back(codec::string_patch(other.span, ""));
    for (const codec::JsonSpan& span : event.logprobs)
      lane.spare_patches.push_back({span, std::string(no_tokens(options_.api))});
  }
  // A tool call that is denied is never begun for the client; text before a denied match is.
  const bool shows = clean || (outgoing.arguments.empty() && !outgoing.withheld && !pieces.empty());
  if (shows) emit(std::move(outgoing), out);
  if (!clean) return block(out);
  if (state_ != State::kRunning) return;
  // A response that failed has ended, too.
  is_past_end_ = event.type == StreamEvent::Type::kEnd || (is_responses() && reply_.ended());
  if (waiting())
    state_ = State::kWaiting;
  else if (is_past_end_)
    state_ = State::kEnded;
}

// Feeds the event's texts to their scanners. False when the stream must end.
bool StreamRelay::read_pieces(const StreamEvent& event, std::vector<Piece>& pieces,
                              Outgoing& outgoing, std::string& out) {
  bool clean = true;
  if (event.has_odd_call) {
    outgoing.withheld = true;
    clean = give_up("a tool call comes in a form that cannot be followed");
  }
  for (const codec::ToolCall& call : event.calls) {
    if (take_call(call, outgoing)) continue;
    outgoing.withheld = true;
    clean = false;
  }
  std::size_t place = 0;  // among the strings that no channel holds
  for (const codec::ReplyText& delta : event.deltas) {
    if (is_argument(event, delta)) continue;
    const bool is_tool = delta.channel.kind == ChannelKind::kToolArguments;
    if (delta.channel.kind == ChannelKind::kOther || delta.is_key ||
        (is_tool && !event.calls.empty())) {
      clean = check_piece(delta, place++, outgoing) && clean;
      continue;
    }
    if (is_responses() && says_again(event)) {
      clean = take_repeat(delta, pieces, outgoing, out) && clean;
      continue;
    }
    const Lane* const begun = is_responses() && is_tool ? find_lane(delta.channel) : nullptr;
    if (begun != nullptr && begun->closed) {
      outgoing.withheld = true;
      clean = give_up("a tool call goes on after its end");
      continue;
    }
    Lane& lane = lane_for(delta.channel);
    Piece piece{&lane, delta.span, delta.text, {}, {}};
    if (is_responses() && !lane.is_tool()) keep_said(lane, delta.text);
    if (lane.is_tool())
      lane.arguments += delta.text;  // judged when they are whole: nothing leaves before
    else
      clean = pass(lane, delta.text, piece) && clean;
    pieces.push_back(std::move(piece));
  }
  return clean;
}

// A text on its way through its lane: encodings, rules, what needs more than a piece, placeholders.
bool StreamRelay::pass(Lane& lane, std::string_view text, Piece& piece) {
  std::string readable;
  Result<> fed;
  if (context_.inspect.layers[static_cast<std::size_t>(detect::Layer::kDisguise)])
    fed = lane.runs.feed(text, context_.bench->scratch, readable);
  else
    readable = text;
  if (fed) fed = lane.scanner.feed(readable, piece.kept);
  if (!fed) return give_up(fed.error().message);
  return settle(lane, piece, false);
}

// The rest of a lane whose channel is complete.
bool StreamRelay::pass_rest(Lane& lane, Piece& piece) {
  std::string readable;
  auto finished = lane.runs.finish(context_.bench->scratch, readable);
  if (finished && !lane.runs.denied()) finished = lane.scanner.feed(readable, piece.kept);
  if (finished && !lane.runs.denied()) finished = lane.scanner.finish(piece.kept);
  if (!finished) return give_up(finished.error().message);
  return settle(lane, piece, true);
}

bool StreamRelay::settle(Lane& lane, Piece& piece, bool complete) {
  if (!lane.vault) {
    piece.release = piece.kept;
  } else {
    const std::uint64_t before = lane.vault->restored();
    lane.vault->feed(piece.kept, piece.release);
    if (complete) lane.vault->finish(piece.release);
    restored_ += lane.vault->restored() - before;
  }
  if (complete) findings_.redactions += lane.scanner.redactions() + lane.runs.redactions();
  if (!record(lane)) return false;
  if (!gives_away(lane, piece.kept) && read_seam(lane, piece.kept) &&
      read_window(lane, piece.kept, complete))
    return true;
  piece.release.clear();  // it completed what is not to be read
  return false;
}

// Broken words, other disguises of wording, and what the classifier sees need more than a piece of
// the text. They are looked for in what was released: such a finding ends the stream, at the
// latest kWindowBytes behind its end.
bool StreamRelay::read_window(Lane& lane, std::string_view released, bool complete) {
  lane.unread += released;
  const std::size_t fresh = lane.unread.size() - lane.read_bytes;
  if (fresh == 0 || (!complete && fresh < kWindowBytes)) return true;
  Findings seen;
  TextJudge judge(context_, policy::Direction::kReply, seen);
  const auto judged = judge.judge(
      lane.unread,
      {.surface = lane.surface,
       .outcomes =
           stream_table(*context_.tables, options_.api, lane.channel.kind, lane.surface).get(),
       .plain = false,
       .editable = false});
  if (!judged) return give_up(judged.error().message);
  findings_.late += seen.late;
  findings_.cut += seen.cut;
  const std::uint64_t begin =
      lane.scanner.total_bytes() -
      std::min<std::uint64_t>(lane.scanner.total_bytes(), lane.unread.size());
  for (model::Detection& detection : seen.detections) {
    // Windows overlap: what was told in the last one is not told again.
    if (!told_.insert(detection.rule_id).second) continue;
    detection.offset += begin;
    findings_.add(std::move(detection));
  }
  strengthen(findings_.verdict, seen.verdict);
  lane.unread.erase(0, lane.unread.size() - std::min(lane.unread.size(), kWindowBytes));
  lane.read_bytes = lane.unread.size();
  if (judged->denied) return false;
  return in_time();
}

// What was not looked through follows the fail mode.
bool StreamRelay::in_time() {
  if (findings_.cut == 0 || !context_.book->policy->fail_closed()) return true;
  return give_up("there was not time enough to look through all of it");
}

// Tool calls are withheld from their first event on, even before any argument came.
void StreamRelay::open_tools() {
  const auto& calls = reply_.tool_calls();
  begun_tools_ = known_tools_;
  for (; known_tools_ < calls.size(); ++known_tools_) lane_for(calls[known_tools_].channel);
}

StreamRelay::Lane& StreamRelay::lane_for(const codec::Channel& channel) {
  for (const auto& lane : lanes_)
    if (lane->channel == channel && !lane->closed) return *lane;
  std::string_view tool;
  for (const codec::ToolCall& call : reply_.tool_calls())
    if (call.channel == channel) tool = call.name;
  auto made =
      std::make_unique<Lane>(channel, surface_of(channel.kind, tool), context_, options_.api);
  if (made->leaks) take_over_leaks(*made);
  lanes_.push_back(std::move(made));
  return *lanes_.back();
}

// Adds what the lane's scanner found since last time. False when policy denies.
bool StreamRelay::record(Lane& lane) {
  const auto& found = lane.scanner.found();
  const std::size_t first = findings_.detections.size();
  for (; lane.recorded < found.size(); ++lane.recorded) {
    const auto& one = found[lane.recorded];
    findings_.add(
        describe_found(context_.book->engine->rules()[one.match.rule], one, lane.surface));
  }
  const auto& hidden = lane.runs.found();
  for (; lane.recorded_runs < hidden.size(); ++lane.recorded_runs) {
    const auto& one = hidden[lane.recorded_runs];
    findings_.add(
        describe_found(context_.book->engine->rules()[one.match.rule], one, lane.surface));
  }
  judge(findings_, first, context_, policy::Direction::kReply);
  if (!lane.denied()) return true;
  findings_.verdict.decided = findings_.verdict.applied = Outcome::kDeny;
  return false;
}

bool StreamRelay::give_up(std::string why) {
  if (failure_.empty()) failure_ = std::move(why);
  return false;
}

}  // namespace aispm::gateway
