// SPDX-License-Identifier: Apache-2.0
#include "sdk/core/codec/line_framer.hpp"

#include <algorithm>

namespace aispm::codec {
namespace {

bool is_blank(std::string_view line) {
  return std::all_of(line.begin(), line.end(),
                     [](char c) { return c == ' ' || c == '\t' || c == '\r'; });
}

}  // namespace

void LineFramer::feed(std::string_view bytes) {
  if (is_dropping_) {
    const std::size_t end = bytes.find('\n');
    if (end == std::string_view::npos) return;
    bytes.remove_prefix(end + 1);
    is_dropping_ = false;
  }
  if (start_ > 0) {
    buffer_.erase(0, start_);
    start_ = 0;
  }
  buffer_.append(bytes);
}

std::optional<std::string_view> LineFramer::next() {
  for (;;) {
    const std::string_view rest = std::string_view(buffer_).substr(start_);
    const std::size_t end = rest.find('\n', scanned_);
    if (end == std::string_view::npos) {
      scanned_ = rest.size();
      // A CR may turn out to be of the line's end.
      if (rest.size() > limit_bytes_ + (rest.ends_with('\r') ? 1 : 0)) {
        drop_line();
        is_dropping_ = true;
      }
      return std::nullopt;
    }
    start_ += end + 1;
    scanned_ = 0;
    std::string_view line = rest.substr(0, end);
    if (line.ends_with('\r')) line.remove_suffix(1);
    if (line.size() > limit_bytes_) {
      ++dropped_lines_;
    } else if (!is_blank(line)) {
      return line;
    }
  }
}

std::optional<std::string_view> LineFramer::finish() {
  std::string_view rest = std::string_view(buffer_).substr(start_);
  start_ = buffer_.size();
  scanned_ = 0;
  if (rest.ends_with('\r')) rest.remove_suffix(1);
  if (is_blank(rest)) return std::nullopt;
  if (rest.size() > limit_bytes_) {
    ++dropped_lines_;
    return std::nullopt;
  }
  return rest;
}

void LineFramer::skip() {
  if (is_dropping_) return;
  drop_line();
  is_dropping_ = true;
}

void LineFramer::drop_line() {
  ++dropped_lines_;
  buffer_.clear();
  start_ = scanned_ = 0;
}

}  // namespace aispm::codec
