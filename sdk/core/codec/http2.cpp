// SPDX-License-Identifier: Apache-2.0
#include "sdk/core/codec/http2.hpp"

#include <algorithm>

#include "sdk/core/codec/hpack.hpp"
#include "sdk/core/codec/http2_frame.hpp"

namespace aispm::codec::http2 {
namespace {

constexpr std::string_view kGrpcType = "application/grpc";

}  // namespace

std::string_view Head::value(std::string_view name) const {
  for (const Field& field : fields)
    if (!field.is_unknown && field.name == name) return field.value;
  return {};
}

std::string_view Head::authority() const {
  const std::string_view authority = value(":authority");
  return authority.empty() ? value("host") : authority;
}

struct Observer::State {
  struct Stream {
    bool head_seen[2] = {false, false};  // by Side
    bool ended[2] = {false, false};
  };

  // One direction: where its framing stands.
  struct Half {
    explicit Half(bool from_start) : hpack(from_start) {}

    Hpack hpack;
    std::string start;        // preface or frame header that is not complete yet
    bool at_preface = false;  // the client's preface comes first
    bool lost = false;
    bool is_first_frame = false;  // joined midway, nothing seen yet
    FrameHeader frame;            // the frame being read
    bool in_frame = false;
    std::uint32_t left = 0;     // payload bytes of it still to come, padding included
    std::uint32_t padding = 0;  // of those, the last ones that are padding
    bool needs_pad_length = false;
    std::string block;          // header block so far, framing of the first frame stripped
    bool block_broken = false;  // bytes of it are missing, or it is too long
    std::uint32_t block_stream = 0;
    bool block_ends_stream = false;
    std::uint32_t block_promised = 0;
    bool in_block = false;  // only CONTINUATION may follow
  };

  explicit State(bool from_start) : halves{Half(from_start), Half(from_start)} {
    halves[0].at_preface = from_start;
    for (Half& one : halves) one.is_first_frame = !from_start;
  }

  Half halves[2];
  std::map<std::uint32_t, Stream> streams;
  Counters counters;

  Half& half(Side side) { return halves[static_cast<std::size_t>(side)]; }

  Result<> lose(Side side, std::string_view why, const Sink& sink);
  Result<> begin_frame(Side side, const Sink& sink);
  void take_payload(Side side, std::string_view bytes, const Sink& sink);
  void end_frame(Side side, const Sink& sink);
  static void begin_block(Half& half, const FrameHeader& frame);
  void end_block(Side side, const Sink& sink);
  void give_data(Side side, std::string_view bytes, const Sink& sink);
  void end_stream(Side side, std::uint32_t id, const Sink& sink);
  void reset_stream(Side side, std::uint32_t id, std::uint32_t code, const Sink& sink);
  Stream& stream_of(std::uint32_t id, Side side, const Sink& sink);
};

Result<> Observer::State::lose(Side side, std::string_view why, const Sink& sink) {
  Half& mine = half(side);
  mine.lost = true;
  mine.start = {};
  mine.block = {};
  ++counters.lost_sides;
  Event event;
  event.kind = Event::Kind::kLost;
  event.from = side;
  event.why = why;
  sink(event);
  return fail(Errc::kInvalid, "http2: " + std::string(why));
}

Observer::State::Stream& Observer::State::stream_of(std::uint32_t id, Side side, const Sink& sink) {
  const auto found = streams.find(id);
  if (found != streams.end()) return found->second;
  if (streams.size() >= kMaxStreams) {
    Event event;
    event.kind = Event::Kind::kDropped;
    event.from = side;
    event.stream = streams.begin()->first;
    streams.erase(streams.begin());
    ++counters.dropped_streams;
    sink(event);
  }
  ++counters.streams;
  return streams[id];
}

// The 9 bytes of a frame header are in `start`.
Result<> Observer::State::begin_frame(Side side, const Sink& sink) {
  Half& mine = half(side);
  const FrameHeader frame = read_frame_header(mine.start);
  mine.start.clear();
  if (const std::string_view why = objection(frame); !why.empty()) return lose(side, why, sink);
  if (mine.in_block && (frame.type != kContinuation || frame.stream != mine.block_stream))
    return lose(side, "a header block was not continued", sink);
  if (!mine.in_block && frame.type == kContinuation) {
    if (!mine.is_first_frame) return lose(side, "a continuation of no header block", sink);
    // Joined in the middle of a block: its beginning was not seen.
    begin_block(mine, frame);
    mine.block_broken = true;
  }
  mine.is_first_frame = false;
  ++counters.frames;
  mine.frame = frame;
  mine.left = frame.length;
  mine.padding = 0;
  mine.needs_pad_length = is_padded(frame);
  mine.in_frame = true;
  if (frame.type == kHeaders || frame.type == kPushPromise) begin_block(mine, frame);
  if (mine.left == 0) end_frame(side, sink);
  return {};
}

void Observer::State::begin_block(Half& mine, const FrameHeader& frame) {
  mine.in_block = true;
  mine.block.clear();
  mine.block_broken = false;
  mine.block_stream = frame.stream;
  mine.block_promised = 0;
  mine.block_ends_stream = frame.type == kHeaders && (frame.flags & kFlagEndStream) != 0;
}

// Payload bytes of the current frame, at most `left` of them.
void Observer::State::take_payload(Side side, std::string_view bytes, const Sink& sink) {
  Half& mine = half(side);
  mine.left -= static_cast<std::uint32_t>(bytes.size());
  if (mine.needs_pad_length && !bytes.empty()) {
    mine.needs_pad_length = false;
    mine.padding =
        std::min<std::uint32_t>(static_cast<unsigned char>(bytes.front()), mine.frame.length - 1);
    bytes.remove_prefix(1);
  }
  // How much of `bytes` is padding: the part that reaches into the last `padding` bytes.
  const std::uint32_t pad = mine.padding > mine.left ? mine.padding - mine.left : 0;
  bytes.remove_suffix(std::min<std::size_t>(pad, bytes.size()));
  switch (mine.frame.type) {
    case kData:
      give_data(side, bytes, sink);
      break;
    case kHeaders:
    case kPushPromise:
    case kContinuation:
      if (mine.block.size() + bytes.size() > kMaxHeaderBlockBytes) mine.block_broken = true;
      if (!mine.block_broken) mine.block.append(bytes);
      break;
    default:
      if (mine.start.size() + bytes.size() <= kFrameHeaderBytes) mine.start.append(bytes);
      break;
  }
  if (mine.left == 0) end_frame(side, sink);
}

void Observer::State::give_data(Side side, std::string_view bytes, const Sink& sink) {
  if (bytes.empty()) return;
  Event event;
  event.kind = Event::Kind::kData;
  event.from = side;
  event.stream = half(side).frame.stream;
  event.data = bytes;
  stream_of(event.stream, side, sink);
  sink(event);
}

void Observer::State::end_frame(Side side, const Sink& sink) {
  Half& mine = half(side);
  mine.in_frame = false;
  const FrameHeader frame = mine.frame;
  const std::string small = std::exchange(mine.start, {});  // payload of a control frame
  switch (frame.type) {
    case kData:
      if ((frame.flags & kFlagEndStream) != 0) {
        stream_of(frame.stream, side, sink);
        end_stream(side, frame.stream, sink);
      }
      break;
    case kHeaders:
    case kPushPromise:
      strip_block_prefix(frame, mine.block, mine.block_promised, mine.block_broken);
      [[fallthrough]];
    case kContinuation:
      if ((frame.flags & kFlagEndHeaders) != 0) end_block(side, sink);
      break;
    case kResetStream:
      reset_stream(side, frame.stream, small.size() == 4 ? read_u32(small) : 0, sink);
      break;
    default:
      break;
  }
}

void Observer::State::end_block(Side side, const Sink& sink) {
  Half& mine = half(side);
  mine.in_block = false;
  Head head;
  if (mine.block_broken) {
    mine.hpack.forget_past();
    head.is_complete = false;
    ++counters.broken_heads;
  } else if (!mine.hpack.read(mine.block, head)) {
    head.is_complete = false;
    ++counters.broken_heads;
  }
  mine.block.clear();
  for (const Field& field : head.fields) counters.unknown_fields += field.is_unknown ? 1 : 0;

  Event event;
  event.from = side;
  event.stream = mine.block_stream;
  event.head = &head;
  if (mine.frame.type == kPushPromise || mine.block_promised != 0) {
    event.kind = Event::Kind::kPromise;
    event.promised = mine.block_promised;
    stream_of(event.promised, side, sink).head_seen[0] = true;
    return sink(event);
  }
  Stream& stream = stream_of(event.stream, side, sink);
  bool& seen = stream.head_seen[static_cast<std::size_t>(side)];
  event.kind = seen ? Event::Kind::kTrailers : Event::Kind::kHead;
  const bool is_interim = head.status >= 100 && head.status < 200;
  // Joined midway, a block without pseudo fields can only be trailers.
  const bool has_pseudo = std::any_of(head.fields.begin(), head.fields.end(), [](const Field& one) {
    return one.is_unknown || one.name.starts_with(':');
  });
  if (!seen && !has_pseudo && !head.fields.empty()) event.kind = Event::Kind::kTrailers;
  if (event.kind == Event::Kind::kHead && head.content_type().starts_with(kGrpcType) &&
      side == Side::kClient)
    ++counters.grpc_streams;
  seen = seen || !is_interim;
  sink(event);
  if (mine.block_ends_stream) end_stream(side, event.stream, sink);
}

void Observer::State::end_stream(Side side, std::uint32_t id, const Sink& sink) {
  const auto found = streams.find(id);
  if (found == streams.end()) return;
  found->second.ended[static_cast<std::size_t>(side)] = true;
  const bool is_over = found->second.ended[0] && found->second.ended[1];
  if (is_over) streams.erase(found);
  Event event;
  event.kind = Event::Kind::kEnd;
  event.from = side;
  event.stream = id;
  sink(event);
}

void Observer::State::reset_stream(Side side, std::uint32_t id, std::uint32_t code,
                                   const Sink& sink) {
  if (streams.erase(id) == 0) return;
  Event event;
  event.kind = Event::Kind::kReset;
  event.from = side;
  event.stream = id;
  event.error_code = code;
  sink(event);
}

Observer::Observer(bool from_start) : state_(std::make_unique<State>(from_start)) {}
Observer::~Observer() = default;
Observer::Observer(Observer&&) noexcept = default;
Observer& Observer::operator=(Observer&&) noexcept = default;

Result<> Observer::feed(Side side, std::string_view bytes, const Sink& sink) {
  State::Half& half = state_->half(side);
  if (half.lost) return {};
  while (!bytes.empty() && !half.lost) {
    if (half.in_frame) {
      const std::string_view payload = bytes.substr(0, half.left);
      bytes.remove_prefix(payload.size());
      state_->take_payload(side, payload, sink);
      continue;
    }
    const std::size_t wanted = half.at_preface ? kPreface.size() : kFrameHeaderBytes;
    const std::string_view part = bytes.substr(0, wanted - half.start.size());
    half.start.append(part);
    bytes.remove_prefix(part.size());
    if (half.at_preface) {
      if (half.start != kPreface.substr(0, half.start.size()))
        return state_->lose(side, "no connection preface", sink);
      if (half.start.size() == wanted) {
        half.at_preface = false;
        half.start.clear();
      }
    } else if (half.start.size() == wanted) {
      AISPM_CHECK(state_->begin_frame(side, sink));
    }
  }
  return {};
}

void Observer::skip(Side side, std::uint64_t size, const Sink& sink) {
  State::Half& half = state_->half(side);
  if (half.lost || size == 0) return;
  state_->counters.lost_bytes += size;
  if (!half.in_frame || size > half.left || half.needs_pad_length) {
    (void)state_->lose(side, "bytes around a frame header were lost", sink);
    return;
  }
  const auto lost = static_cast<std::uint32_t>(size);
  if (half.frame.type == kData) {
    // Padding is at the end: what is lost before it is data.
    const std::uint32_t data_left = half.left - std::min(half.left, half.padding);
    if (const std::uint32_t data_lost = std::min(lost, data_left); data_lost > 0) {
      Event event;
      event.kind = Event::Kind::kGap;
      event.from = side;
      event.stream = half.frame.stream;
      event.lost_bytes = data_lost;
      state_->stream_of(event.stream, side, sink);
      sink(event);
    }
  } else if (half.in_block) {
    half.block_broken = true;
  }
  half.left -= lost;
  if (half.left == 0) state_->end_frame(side, sink);
}

bool Observer::is_lost(Side side) const { return state_->half(side).lost; }
const Counters& Observer::counters() const { return state_->counters; }
std::size_t Observer::stream_count() const { return state_->streams.size(); }
std::size_t Observer::held_bytes() const {
  return state_->halves[0].block.size() + state_->halves[1].block.size();
}

}  // namespace aispm::codec::http2
