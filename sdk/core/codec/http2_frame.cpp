// SPDX-License-Identifier: Apache-2.0
#include "sdk/core/codec/http2_frame.hpp"

#include <algorithm>

#include "sdk/core/codec/http2.hpp"

namespace aispm::codec::http2 {
namespace {

constexpr std::uint32_t kStreamMask = 0x7FFFFFFF;
constexpr std::size_t kPriorityBytes = 5;
// A frame that nobody announced a size for: the limit both peers start with.
constexpr std::uint32_t kDefaultFrameBytes = 16384;

}  // namespace

std::uint32_t read_u32(std::string_view bytes) {
  std::uint32_t value = 0;
  for (std::size_t i = 0; i < 4; ++i) value = value << 8 | static_cast<unsigned char>(bytes[i]);
  return value;
}

FrameHeader read_frame_header(std::string_view bytes) {
  FrameHeader frame;
  frame.length = read_u32(bytes) >> 8;
  frame.type = static_cast<std::uint8_t>(bytes[3]);
  frame.flags = static_cast<std::uint8_t>(bytes[4]);
  frame.stream = read_u32(bytes.substr(5)) & kStreamMask;
  return frame;
}

std::string_view objection(const FrameHeader& frame) {
  const bool on_connection =
      frame.type == kSettings || frame.type == kPing || frame.type == kGoAway;
  if (on_connection && frame.stream != 0) return "a connection frame on a stream";
  switch (frame.type) {
    case kData:
    case kHeaders:
    case kContinuation:
    case kPushPromise:
      if (frame.stream == 0) return "a stream frame on no stream";
      if (is_padded(frame) && frame.length == 0) return "padding in an empty frame";
      if (frame.type == kPushPromise && frame.length < 4) return "a push promise too short";
      return {};
    case kPriority:
      if (frame.stream == 0) return "a stream frame on no stream";
      return frame.length == kPriorityBytes ? std::string_view() : "a priority of a wrong size";
    case kResetStream:
      if (frame.stream == 0) return "a stream frame on no stream";
      return frame.length == 4 ? std::string_view() : "a reset of a wrong size";
    case kSettings:
      if ((frame.flags & kFlagAck) != 0 && frame.length != 0) return "settings of a wrong size";
      return frame.length % 6 == 0 ? std::string_view() : "settings of a wrong size";
    case kPing:
      return frame.length == 8 ? std::string_view() : "a ping of a wrong size";
    case kGoAway:
      return frame.length >= 8 ? std::string_view() : "a goaway too short";
    case kWindowUpdate:
      return frame.length == 4 ? std::string_view() : "a window update of a wrong size";
    default:
      // Extensions are to be ignored; all known ones are small.
      return frame.length <= kDefaultFrameBytes ? std::string_view()
                                                : "a long frame of no known type";
  }
}

void strip_block_prefix(const FrameHeader& frame, std::string& block, std::uint32_t& promised,
                        bool& is_broken) {
  if (is_broken) return;
  std::size_t size = 0;
  if (frame.type == kPushPromise) size = 4;
  if (frame.type == kHeaders && (frame.flags & kFlagPriority) != 0) size = kPriorityBytes;
  if (block.size() < size) {
    is_broken = true;
    return;
  }
  if (frame.type == kPushPromise) promised = read_u32(block) & kStreamMask;
  block.erase(0, size);
}

Likeness likeness(Side side, std::string_view bytes) {
  const std::size_t seen = std::min(bytes.size(), kPreface.size());
  if (side == Side::kClient && bytes.substr(0, seen) == kPreface.substr(0, seen))
    return seen == kPreface.size() ? Likeness::kStart : Likeness::kNeedMore;
  if (bytes.size() < kFrameHeaderBytes) return Likeness::kNeedMore;
  const FrameHeader frame = read_frame_header(bytes);
  // Text never passes: its first byte makes a frame of two megabytes or more.
  if (frame.type > kContinuation || frame.length > kMaxFrameBytes / 16 || !objection(frame).empty())
    return Likeness::kNo;
  const bool is_reserved_bit_set = (static_cast<unsigned char>(bytes[5]) & 0x80) != 0;
  if (is_reserved_bit_set) return Likeness::kNo;
  if (side == Side::kServer && frame.type == kSettings && (frame.flags & kFlagAck) == 0)
    return Likeness::kStart;
  return Likeness::kFrame;
}

}  // namespace aispm::codec::http2
