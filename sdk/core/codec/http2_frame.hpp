// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <cstddef>
#include <cstdint>
#include <string>
#include <string_view>

// Private to http2*.cpp. Frames as RFC 9113 sections 4.1 and 6 lay them out.
namespace aispm::codec::http2 {

inline constexpr std::size_t kFrameHeaderBytes = 9;

enum FrameType : std::uint8_t {
  kData = 0,
  kHeaders = 1,
  kPriority = 2,
  kResetStream = 3,
  kSettings = 4,
  kPushPromise = 5,
  kPing = 6,
  kGoAway = 7,
  kWindowUpdate = 8,
  kContinuation = 9,
};
inline constexpr std::uint8_t kFlagEndStream = 0x01;  // DATA, HEADERS
inline constexpr std::uint8_t kFlagAck = 0x01;        // SETTINGS, PING
inline constexpr std::uint8_t kFlagEndHeaders = 0x04;
inline constexpr std::uint8_t kFlagPadded = 0x08;
inline constexpr std::uint8_t kFlagPriority = 0x20;  // HEADERS

struct FrameHeader {
  std::uint32_t length = 0;
  std::uint8_t type = 0;
  std::uint8_t flags = 0;
  std::uint32_t stream = 0;
};

// The four bytes at `bytes`, big endian.
std::uint32_t read_u32(std::string_view bytes);

// From exactly kFrameHeaderBytes bytes.
FrameHeader read_frame_header(std::string_view bytes);

// Why this cannot be a frame that a peer would accept; empty when nothing speaks against it.
std::string_view objection(const FrameHeader& frame);

// The payload begins with a pad length.
inline bool is_padded(const FrameHeader& frame) {
  return (frame.flags & kFlagPadded) != 0 &&
         (frame.type == kData || frame.type == kHeaders || frame.type == kPushPromise);
}

// Takes what stands before the header block in a HEADERS or PUSH_PROMISE payload (pad length
// already gone) out of `block`. `is_broken` is set when it is too short.
void strip_block_prefix(const FrameHeader& frame, std::string& block, std::uint32_t& promised,
                        bool& is_broken);

}  // namespace aispm::codec::http2
