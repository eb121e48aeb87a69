// SPDX-License-Identifier: Apache-2.0
// Sources: PNG (W3C, third edition) section 5; JPEG (ITU-T T.81) annex B; GIF89a; WebP container
// (RFC 9649).
#include <algorithm>
#include <array>

#include "sdk/core/codec/media_reader.hpp"

namespace aispm::codec {
namespace {

constexpr std::string_view kPng("\x89PNG\r\n\x1a\n", 8);
constexpr std::string_view kJpeg("\xff\xd8\xff", 3);

// "KEY\0..." of tEXt, zTXt, iTXt.
void take_png_text(std::string_view type, std::string_view data, MediaText& out) {
  const std::size_t key = std::min(data.find('\0'), data.size());
  out.take(data.substr(0, key));
  if (type == "zTXt") return out.take_deflated(slice(data, key + 2, data.size()));
  if (type != "iTXt") return out.take(slice(data, key + 1, data.size()));
  const bool is_deflated = byte_at(data, key + 1) == 1;
  std::size_t at = key + 3;
  for (int skipped = 0; skipped < 2; ++skipped) {  // language and translated key
    const std::size_t end = at < data.size() ? data.find('\0', at) : std::string_view::npos;
    if (end == std::string_view::npos) return out.take(data);
    out.take(data.substr(at, end - at));
    at = end + 1;
  }
  const std::string_view text = slice(data, at, data.size());
  if (is_deflated)
    out.take_deflated(text);
  else
    out.take(text);
}

// Each reads on to the end whatever it meets, and says whether the structure was whole: pixels, and
// an end mark behind them.
bool read_png(std::string_view bytes, MediaText& out) {
  constexpr std::array<std::string_view, 5> kPixels = {"IDAT", "fdAT", "PLTE", "tRNS", "IHDR"};
  std::size_t at = kPng.size();
  bool has_pixels = false;
  bool has_end = false;
  while (at + 12 <= bytes.size()) {
    const std::size_t size = big_endian(bytes, at, 4);
    const std::string_view type = bytes.substr(at + 4, 4);
    if (size > bytes.size() - at - 12) break;
    const std::string_view data = bytes.substr(at + 8, size);
    at += 12 + size;
    has_end = type == "IEND";
    if (has_end) break;
    has_pixels = has_pixels || type == "IDAT";
    if (type == "tEXt" || type == "zTXt" || type == "iTXt")
      take_png_text(type, data, out);
    else if (std::find(kPixels.begin(), kPixels.end(), type) == kPixels.end())
      out.take(data);
  }
  out.take(slice(bytes, at, bytes.size()));
  return has_pixels && has_end;
}

bool read_jpeg(std::string_view bytes, MediaText& out) {
  std::size_t at = 2;
  bool has_pixels = false;
  bool has_end = false;
  while (at + 4 <= bytes.size()) {
    const std::uint8_t marker = byte_at(bytes, at + 1);
    if (byte_at(bytes, at) != 0xff) break;
    if (marker == 0xff) {  // a fill byte
      ++at;
      continue;
    }
    if (marker == 0xd9) {
      at += 2;
      has_end = true;
      break;
    }
    const std::size_t size = big_endian(bytes, at + 2, 2);
    if (size < 2 || size > bytes.size() - at - 2) break;
    const bool is_text = (marker >= 0xe0 && marker <= 0xef) || marker == 0xfe;
    if (is_text) out.take(bytes.substr(at + 4, size - 2));
    at += 2 + size;
    if (marker != 0xda) continue;
    has_pixels = true;
    // Pixels, to the next marker that is not one of theirs.
    while (at + 1 < bytes.size()) {
      at = std::min(bytes.find('\xff', at), bytes.size());
      const std::uint8_t next = byte_at(bytes, at + 1);
      if (next != 0 && (next < 0xd0 || next > 0xd7)) break;
      at += 2;
    }
  }
  // An end mark that nothing follows is too short for the loop above.
  if (!has_end && bytes.substr(std::min(at, bytes.size())) == "\xff\xd9") {
    at += 2;
    has_end = true;
  }
  out.take(slice(bytes, at, bytes.size()));
  return has_pixels && has_end;
}

// Data of sub-blocks joined; `at` moves behind them.
std::string read_gif_blocks(std::string_view bytes, std::size_t& at) {
  std::string data;
  while (at < bytes.size()) {
    const std::size_t size = byte_at(bytes, at++);
    if (size == 0) break;
    data += slice(bytes, at, size);
    at += size;
  }
  return data;
}

bool read_gif(std::string_view bytes, MediaText& out) {
  const auto table_bytes = [](std::uint8_t flags) {
    return (flags & 0x80U) != 0 ? std::size_t{3} << ((flags & 7U) + 1) : std::size_t{0};
  };
  std::size_t at = 13 + table_bytes(byte_at(bytes, 10));
  bool has_pixels = false;
  bool has_end = false;
  while (at < bytes.size()) {
    const std::uint8_t kind = byte_at(bytes, at);
    if (kind == 0x2c) {  // an image: descriptor, colours, code size, blocks
      at += 10 + table_bytes(byte_at(bytes, at + 9)) + 1;
      read_gif_blocks(bytes, at);
      has_pixels = true;
    } else if (kind == 0x21) {
      const bool is_timing = byte_at(bytes, at + 1) == 0xf9;
      at += 2;
      const std::string data = read_gif_blocks(bytes, at);
      if (!is_timing) out.take(data);
    } else {
      has_end = kind == 0x3b;
      at += has_end ? 1 : 0;
      break;
    }
  }
  out.take(slice(bytes, at, bytes.size()));
  return has_pixels && has_end;
}

// The size that a WebP file says of itself is not held against it: chunks alone are read.
bool read_webp(std::string_view bytes, MediaText& out) {
  constexpr std::array<std::string_view, 6> kPixels = {"VP8 ", "VP8L", "VP8X",
                                                       "ANIM", "ANMF", "ALPH"};
  std::size_t at = 12;
  bool has_pixels = false;
  while (at + 8 <= bytes.size()) {
    const std::string_view type = bytes.substr(at, 4);
    const std::size_t size = little_endian(bytes, at + 4);
    if (size > bytes.size() - at - 8) break;
    has_pixels = has_pixels || type == "VP8 " || type == "VP8L" || type == "ANMF";
    if (std::find(kPixels.begin(), kPixels.end(), type) == kPixels.end())
      out.take(bytes.substr(at + 8, size));
    at += 8 + size + size % 2;
  }
  out.take(slice(bytes, at, bytes.size()));
  return has_pixels;
}

bool is_gif(std::string_view bytes) {
  return bytes.starts_with("GIF87a") || bytes.starts_with("GIF89a");
}

bool is_webp(std::string_view bytes) {
  return bytes.starts_with("RIFF") && slice(bytes, 8, 4) == "WEBP";
}

}  // namespace

bool read_picture(std::string_view bytes, MediaText& out) {
  if (bytes.starts_with(kPng)) return read_png(bytes, out);
  if (bytes.starts_with(kJpeg)) return read_jpeg(bytes, out);
  if (is_gif(bytes)) return read_gif(bytes, out);
  return is_webp(bytes) && read_webp(bytes, out);
}

}  // namespace aispm::codec
