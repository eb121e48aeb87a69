// SPDX-License-Identifier: Apache-2.0
#include "sdk/core/codec/eventstream.hpp"

#include <zlib.h>

#include <array>

namespace aispm::codec {
namespace {

constexpr std::size_t kPreludeBytes = 12;
constexpr std::size_t kChecksumBytes = 4;

std::uint32_t read_u32(std::string_view bytes) {
  std::uint32_t value = 0;
  for (std::size_t i = 0; i < 4; ++i) value = value << 8 | static_cast<unsigned char>(bytes[i]);
  return value;
}

std::uint32_t crc(std::string_view bytes) {
  return static_cast<std::uint32_t>(
      crc32_z(0, reinterpret_cast<const Bytef*>(bytes.data()), bytes.size()));
}

bool is_prelude_right(std::string_view bytes) {
  return crc(bytes.substr(0, 8)) == read_u32(bytes.substr(8));
}

// Size of a header value by its type; types 6 and 7 carry their own.
constexpr std::array<std::size_t, 10> kValueBytes = {0, 0, 1, 2, 4, 8, 0, 0, 8, 16};
constexpr std::uint8_t kBytesType = 6;
constexpr std::uint8_t kStringType = 7;

struct Cursor {
  std::string_view rest;
  bool is_bad = false;

  std::string_view take(std::size_t size) {
    if (rest.size() < size) {
      is_bad = true;
      return {};
    }
    const std::string_view taken = rest.substr(0, size);
    rest.remove_prefix(size);
    return taken;
  }
  std::uint8_t take_byte() {
    const std::string_view byte = take(1);
    return byte.empty() ? 0 : static_cast<std::uint8_t>(byte.front());
  }
};

}  // namespace

void EventStreamParser::feed(std::string_view bytes) {
  if (failed_) return;
  buffer_.erase(0, start_);
  start_ = 0;
  buffer_.append(bytes);
}

void EventStreamParser::skip() {
  if (failed_) return;
  buffer_.clear();
  start_ = 0;
  is_seeking_ = true;
}

Result<std::optional<EventStreamMessage>> EventStreamParser::refuse(Errc code,
                                                                    std::string_view what) {
  failed_ = true;
  buffer_.clear();
  start_ = 0;
  return fail(code, "event stream: " + std::string(what));
}

void EventStreamParser::seek_prelude() {
  while (held_bytes() >= kPreludeBytes) {
    const std::string_view rest = std::string_view(buffer_).substr(start_);
    const std::uint32_t total = read_u32(rest);
    const std::uint32_t headers = read_u32(rest.substr(4));
    if (total >= kPreludeBytes + kChecksumBytes && total <= limit_bytes_ && headers < total &&
        is_prelude_right(rest)) {
      is_seeking_ = false;
      return;
    }
    ++start_;
  }
}

Result<std::optional<EventStreamMessage>> EventStreamParser::next() {
  if (failed_) return refuse(Errc::kInvalid, "failed before");
  if (is_seeking_) seek_prelude();
  if (is_seeking_ || held_bytes() < kPreludeBytes) return std::nullopt;
  const std::string_view rest = std::string_view(buffer_).substr(start_);
  const std::uint32_t total = read_u32(rest);
  const std::uint32_t header_bytes = read_u32(rest.substr(4));
  if (!is_prelude_right(rest)) return refuse(Errc::kInvalid, "wrong checksum of a prelude");
  if (total > limit_bytes_)
    return refuse(Errc::kTooLarge,
                  "a message of more than " + std::to_string(limit_bytes_) + " bytes");
  if (total < kPreludeBytes + kChecksumBytes ||
      header_bytes > total - kPreludeBytes - kChecksumBytes)
    return refuse(Errc::kInvalid, "sizes that do not fit each other");
  if (rest.size() < total) return std::nullopt;
  const std::string_view message = rest.substr(0, total);
  if (crc(message.substr(0, total - kChecksumBytes)) !=
      read_u32(message.substr(total - kChecksumBytes)))
    return refuse(Errc::kInvalid, "wrong checksum of a message");
  const auto read_message = read(message, header_bytes);
  if (!read_message) return refuse(read_message.error().code, read_message.error().message);
  start_ += total;
  return std::optional<EventStreamMessage>(*read_message);
}

Result<EventStreamMessage> EventStreamParser::read(std::string_view message,
                                                   std::uint32_t header_bytes) {
  EventStreamMessage result;
  Cursor cursor{message.substr(kPreludeBytes, header_bytes)};
  for (std::size_t count = 0; !cursor.rest.empty(); ++count) {
    if (count == kMaxEventStreamHeaders)
      return fail(Errc::kTooLarge,
                  "more than " + std::to_string(kMaxEventStreamHeaders) + " headers");
    const std::string_view name = cursor.take(cursor.take_byte());
    const std::uint8_t type = cursor.take_byte();
    if (cursor.is_bad || name.empty() || type >= kValueBytes.size())
      return fail(Errc::kInvalid, "a malformed header");
    std::size_t size = kValueBytes[type];
    if (type == kBytesType || type == kStringType) {
      const std::size_t high = cursor.take_byte();
      size = high << 8 | cursor.take_byte();
    }
    const std::string_view value = cursor.take(size);
    if (cursor.is_bad) return fail(Errc::kInvalid, "a malformed header");
    if (type != kStringType) continue;
    if (name == ":message-type") result.message_type = value;
    if (name == ":event-type" || name == ":exception-type" || name == ":error-code")
      result.name = value;
    if (name == ":content-type") result.content_type = value;
    if (name == ":error-message") result.error_message = value;
  }
  const std::size_t begin = kPreludeBytes + header_bytes;
  result.payload = message.substr(begin, message.size() - begin - kChecksumBytes);
  return result;
}

}  // namespace aispm::codec
