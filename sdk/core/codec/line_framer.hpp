// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <cstddef>
#include <cstdint>
#include <optional>
#include <string>
#include <string_view>

// Messages that are one line each: JSON-RPC over stdio (MCP) and NDJSON replies (Ollama).
namespace aispm::codec {

// One MCP message over stdio: a tool result may hold a picture.
inline constexpr std::size_t kMaxStdioMessageBytes = 8U << 20;
// One line of an NDJSON reply.
inline constexpr std::size_t kMaxNdjsonLineBytes = 1U << 20;

// Cuts a byte stream into lines that end with LF or CRLF. Lines of nothing but spaces are passed
// over; one longer than the limit is dropped and counted, and the next one is read again. Holds at
// most `limit_bytes` plus what was fed last. Not thread-safe.
class LineFramer {
 public:
  explicit LineFramer(std::size_t limit_bytes) : limit_bytes_(limit_bytes) {}

  // Takes the next bytes; then call next() until it gives nothing.
  void feed(std::string_view bytes);

  // The next line without its end. The view lives until the framer is used again.
  std::optional<std::string_view> next();

  // The stream ended: what was left without a line end.
  std::optional<std::string_view> finish();

  // Bytes are missing here: the line they belong to is dropped, on both sides of the hole.
  void skip();

  // Lines longer than the limit, and lines with a hole.
  std::uint64_t dropped_lines() const { return dropped_lines_; }
  std::size_t held_bytes() const { return buffer_.size() - start_; }

 private:
  void drop_line();

  std::size_t limit_bytes_;
  std::string buffer_;
  std::size_t start_ = 0;     // of the current line
  std::size_t scanned_ = 0;   // bytes from start_ on that hold no LF
  bool is_dropping_ = false;  // up to the next LF
  std::uint64_t dropped_lines_ = 0;
};

// MCP over the standard streams of a process: one JSON-RPC message a line.
class StdioFramer : public LineFramer {
 public:
  explicit StdioFramer(std::size_t limit_bytes = kMaxStdioMessageBytes) : LineFramer(limit_bytes) {}
};

}  // namespace aispm::codec
