// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <cstddef>
#include <optional>
#include <string>
#include <string_view>

#include "sdk/core/common/result.hpp"

namespace aispm::codec {

// One element of an array that is read in pieces.
inline constexpr std::size_t kMaxArrayElementBytes = 4U << 20;

// Cuts a JSON array of objects into its elements as bytes arrive: a streamed Gemini reply, a
// JSON-RPC batch. Checks the array's own syntax; an element is cut out by its brackets and left for
// JsonTree to judge. Not thread-safe.
class JsonArraySplitter {
 public:
  explicit JsonArraySplitter(std::size_t limit_bytes = kMaxArrayElementBytes)
      : limit_bytes_(limit_bytes) {}

  void feed(std::string_view bytes);

  // The text of the next element, living until the splitter is used again; nullopt when more bytes
  // are needed or the array is at its end. kInvalid when this is no array of objects, kTooLarge
  // when an element exceeds the limit: the splitter then stays failed.
  Result<std::optional<std::string_view>> next();

  // The closing bracket was seen.
  bool ended() const { return state_ == State::kEnd; }
  // Where the element given last begins, in bytes from the start of the stream.
  std::size_t element_offset() const { return element_offset_; }
  std::size_t held_bytes() const { return buffer_.size() - start_; }

 private:
  enum class State : unsigned char {
    kBegin,
    kElementOrEnd,
    kElement,
    kInside,
    kAfter,
    kEnd,
    kFailed
  };
  Result<std::optional<std::string_view>> refuse(Errc code, std::string_view what);
  bool step_inside(char c);

  std::size_t limit_bytes_;
  std::string buffer_;
  std::size_t start_ = 0;    // of what is still needed in buffer_
  std::size_t scanned_ = 0;  // from start_ on
  std::size_t erased_ = 0;   // bytes dropped from the front of buffer_ so far
  std::size_t element_offset_ = 0;
  std::size_t depth_ = 0;
  bool in_string_ = false;
  bool after_backslash_ = false;
  State state_ = State::kBegin;
};

}  // namespace aispm::codec
