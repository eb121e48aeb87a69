// SPDX-License-Identifier: Apache-2.0
#include "sdk/core/codec/sse.hpp"

#include <algorithm>
#include <charconv>
#include <cstring>

#include "sdk/core/codec/byte_scan.hpp"

namespace aispm::codec {
namespace {

constexpr std::string_view kByteOrderMark = "\xEF\xBB\xBF";
// Consumed bytes are dropped from the buffer only past this size, so that small events are not
// moved again and again.
constexpr std::size_t kCompactBytes = 16U << 10;

}  // namespace

void SseParser::feed(std::string_view bytes) {
  if (start_ == buffer_.size()) {
    buffer_.clear();
    start_ = 0;
  } else if (start_ > kCompactBytes) {
    buffer_.erase(0, start_);
    start_ = 0;
  }
  if (!failed_) buffer_.append(bytes);
}

// Moves on to the end of the current event: true when it is complete, scanned_ then is its size.
bool SseParser::find_end() {
  const std::string_view text = pending();
  if (scanned_ == 0) {
    // An LF that completes the CRLF which ended the previous event belongs to this one's bytes.
    if (after_cr_ && !text.empty() && text.front() == '\n') scanned_ = 1;
    if (!text.empty()) after_cr_ = false;
    if (at_stream_start_) {
      const std::size_t seen = std::min(text.size(), kByteOrderMark.size());
      if (text.substr(0, seen) == kByteOrderMark.substr(0, seen)) {
        if (seen < kByteOrderMark.size()) return false;
        scanned_ = kByteOrderMark.size();
      }
      at_stream_start_ = false;
    }
    line_start_ = scanned_;
  }
  for (;;) {
    const std::size_t end = find_line_end(text, scanned_);
    if (end == std::string_view::npos) {
      scanned_ = text.size();
      return false;
    }
    const bool is_empty = end == line_start_;
    const bool is_cr = text[end] == '\r';
    if (is_cr && !is_empty && end + 1 == text.size()) {
      scanned_ = end;  // CR or CRLF? The next byte tells, and nothing is to be given out before.
      return false;
    }
    const bool is_crlf = is_cr && end + 1 < text.size() && text[end + 1] == '\n';
    scanned_ = end + (is_crlf ? 2 : 1);
    line_start_ = scanned_;
    if (is_empty) {
      after_cr_ = is_cr && !is_crlf;
      return true;
    }
  }
}

Result<std::optional<SseEvent>> SseParser::next() {
  const bool complete = !failed_ && find_end();
  if (failed_ || scanned_ > limit_bytes_) {
    failed_ = true;
    buffer_.clear();
    start_ = scanned_ = 0;
    return fail(Errc::kTooLarge,
                "sse: an event of more than " + std::to_string(limit_bytes_) + " bytes");
  }
  if (!complete) return std::nullopt;
  const std::string_view raw = pending().substr(0, scanned_);
  start_ += scanned_;
  scanned_ = 0;
  return std::optional<SseEvent>(read_event(raw));
}

Result<std::optional<SseEvent>> SseParser::finish() {
  if (failed_) return fail(Errc::kTooLarge, "sse: failed before");
  const std::string_view raw = pending();
  if (raw.empty()) return std::nullopt;
  start_ = buffer_.size();
  scanned_ = 0;
  SseEvent event = read_event(raw);
  event.terminated = false;
  return std::optional<SseEvent>(event);
}

SseEvent SseParser::read_event(std::string_view raw) {
  SseEvent event;
  event.raw = raw;
  std::string_view rest = raw;
  if (is_first_event_ && rest.substr(0, kByteOrderMark.size()) == kByteOrderMark)
    rest.remove_prefix(kByteOrderMark.size());
  is_first_event_ = false;
  while (!rest.empty()) {
    const std::size_t end = find_line_end(rest, 0);
    read_line(rest.substr(0, end), raw, event);
    if (end == std::string_view::npos) break;
    const bool is_crlf = rest[end] == '\r' && end + 1 < rest.size() && rest[end + 1] == '\n';
    rest.remove_prefix(end + (is_crlf ? 2 : 1));
  }
  return event;
}

void SseParser::read_line(std::string_view line, std::string_view raw, SseEvent& event) {
  if (line.empty() || line.front() == ':') return;
  const std::size_t colon = line.find(':');
  const std::string_view field = line.substr(0, colon);
  std::string_view value;
  if (colon != std::string_view::npos) {
    value = line.substr(colon + 1);
    if (!value.empty() && value.front() == ' ') value.remove_prefix(1);
  }
  if (field == "data") {
    if (!event.has_data) {
      event.has_data = true;
      event.single_line = true;
      event.data = value;
      event.data_offset = value.data() == nullptr
                              ? static_cast<std::size_t>(line.data() + line.size() - raw.data())
                              : static_cast<std::size_t>(value.data() - raw.data());
      return;
    }
    if (event.single_line) joined_.assign(event.data);
    event.single_line = false;
    joined_.push_back('\n');
    joined_.append(value);
    event.data = joined_;
  } else if (field == "event") {
    event.event = value;
  } else if (field == "id") {
    if (value.find('\0') == std::string_view::npos) event.id = value;
  } else if (field == "retry") {
    std::uint64_t retry = 0;
    const auto [end, error] = std::from_chars(value.data(), value.data() + value.size(), retry);
    if (error == std::errc() && end == value.data() + value.size() && !value.empty())
      event.retry_ms = retry;
  }
}

std::string serialise_sse(std::string_view event, std::string_view data) {
  std::string text;
  text.reserve(event.size() + data.size() + 24);
  if (!event.empty()) {
    text += "event: ";
    for (const char c : event)
      if (c != '\r' && c != '\n' && c != '\0') text.push_back(c);
    text.push_back('\n');
  }
  for (;;) {
    const std::size_t end = find_line_end(data, 0);
    text += "data: ";
    text.append(data.substr(0, end));
    text.push_back('\n');
    if (end == std::string_view::npos) break;
    const bool is_crlf = data[end] == '\r' && end + 1 < data.size() && data[end + 1] == '\n';
    data.remove_prefix(end + (is_crlf ? 2 : 1));
  }
  text.push_back('\n');
  return text;
}

}  // namespace aispm::codec
