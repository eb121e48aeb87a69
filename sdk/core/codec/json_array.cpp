// SPDX-License-Identifier: Apache-2.0
#include "sdk/core/codec/json_array.hpp"

namespace aispm::codec {
namespace {

bool is_space(char c) { return c == ' ' || c == '\t' || c == '\n' || c == '\r'; }

}  // namespace

void JsonArraySplitter::feed(std::string_view bytes) {
  if (state_ == State::kFailed) return;
  buffer_.erase(0, start_);
  erased_ += start_;
  start_ = 0;
  buffer_.append(bytes);
}

Result<std::optional<std::string_view>> JsonArraySplitter::refuse(Errc code,
                                                                  std::string_view what) {
  state_ = State::kFailed;
  buffer_.clear();
  start_ = scanned_ = 0;
  return fail(code, "json array: " + std::string(what));
}

// True when `c` closes the element.
bool JsonArraySplitter::step_inside(char c) {
  if (in_string_) {
    if (after_backslash_) {
      after_backslash_ = false;
    } else if (c == '\\') {
      after_backslash_ = true;
    } else if (c == '"') {
      in_string_ = false;
    }
    return false;
  }
  if (c == '"') {
    in_string_ = true;
  } else if (c == '{' || c == '[') {
    ++depth_;
  } else if (c == '}' || c == ']') {
    return --depth_ == 0;
  }
  return false;
}

Result<std::optional<std::string_view>> JsonArraySplitter::next() {
  if (state_ == State::kFailed) return refuse(Errc::kInvalid, "failed before");
  while (start_ + scanned_ < buffer_.size()) {
    const char c = buffer_[start_ + scanned_];
    if (state_ == State::kInside) {
      ++scanned_;
      if (scanned_ > limit_bytes_)
        return refuse(Errc::kTooLarge,
                      "an element of more than " + std::to_string(limit_bytes_) + " bytes");
      if (!step_inside(c)) continue;
      const std::string_view element = std::string_view(buffer_).substr(start_, scanned_);
      element_offset_ = erased_ + start_;
      start_ += scanned_;
      scanned_ = 0;
      state_ = State::kAfter;
      return std::optional<std::string_view>(element);
    }
    if (!is_space(c)) {
      if (state_ == State::kBegin && c == '[') {
        state_ = State::kElementOrEnd;
      } else if ((state_ == State::kElementOrEnd || state_ == State::kAfter) && c == ']') {
        state_ = State::kEnd;
      } else if (state_ == State::kAfter && c == ',') {
        state_ = State::kElement;
      } else if ((state_ == State::kElementOrEnd || state_ == State::kElement) && c == '{') {
        state_ = State::kInside;
        depth_ = 0;
        continue;  // the bracket is the element's first byte
      } else {
        return refuse(Errc::kInvalid, "not an array of objects");
      }
    }
    ++start_;
  }
  return std::nullopt;
}

}  // namespace aispm::codec
