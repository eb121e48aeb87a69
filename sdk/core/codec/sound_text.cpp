// SPDX-License-Identifier: Apache-2.0
// Sources: RIFF (Microsoft and IBM, 1991); RFC 9639 (FLAC); RFC 3533 (Ogg); ISO/IEC 11172-3 and
// 13818-3 (MPEG audio), 13818-7 (ADTS), 14496-12 (MP4); ID3v2.3 and 2.4.
#include <algorithm>
#include <array>

#include "sdk/core/codec/media_reader.hpp"

namespace aispm::codec {
namespace {

bool is_wave(std::string_view bytes) {
  return bytes.starts_with("RIFF") && slice(bytes, 8, 4) == "WAVE";
}

bool read_wave(std::string_view bytes, MediaText& out) {
  constexpr std::array<std::string_view, 4> kNumbers = {"fmt ", "fact", "cue ", "smpl"};
  std::size_t at = 12;
  bool has_sound = false;
  while (at + 8 <= bytes.size()) {
    const std::string_view type = bytes.substr(at, 4);
    const std::size_t rest = bytes.size() - at - 8;
    std::size_t size = little_endian(bytes, at + 4);
    // Whoever writes while it is spoken does not know the size.
    if (type == "data") size = std::min(size, rest);
    if (size > rest) break;
    if (type == "data")
      has_sound = true;
    else if (std::find(kNumbers.begin(), kNumbers.end(), type) == kNumbers.end())
      out.take(bytes.substr(at + 8, size));
    at += 8 + size + size % 2;
  }
  out.take(slice(bytes, at, bytes.size()));
  return has_sound;
}

// A tag's picture with the words before it.
void take_attached(std::string_view data, MediaText& out) {
  std::size_t at = data.size();
  for (const std::string_view begin : {"\x89PNG", "\xff\xd8\xff", "GIF8"})
    at = std::min(at, data.find(begin));
  out.take(data.substr(0, at));
  const std::string_view picture = slice(data, at, data.size());
  if (picture.empty()) return;
  if (!read_picture(picture, out)) out.take(picture);
}

bool read_flac(std::string_view bytes, MediaText& out) {
  constexpr unsigned kStreamInfo = 0;
  constexpr unsigned kSeekTable = 3;
  constexpr unsigned kPicture = 6;
  std::size_t at = 4;
  for (bool is_last = false; !is_last && at + 4 <= bytes.size();) {
    is_last = (byte_at(bytes, at) & 0x80U) != 0;
    const unsigned type = byte_at(bytes, at) & 0x7fU;
    const std::size_t size = big_endian(bytes, at + 1, 3);
    if (size > bytes.size() - at - 4) break;
    const std::string_view data = bytes.substr(at + 4, size);
    if (type == kPicture)
      take_attached(data, out);
    else if (type != kStreamInfo && type != kSeekTable)
      out.take(data);
    at += 4 + size;
  }
  const bool has_sound = byte_at(bytes, at) == 0xff && (byte_at(bytes, at + 1) & 0xfeU) == 0xf8;
  if (!has_sound) out.take(slice(bytes, at, bytes.size()));
  return has_sound;
}

// Pages before any sound have the position 0, or none where no packet ends in them.
bool read_ogg(std::string_view bytes, MediaText& out) {
  const std::string_view none("\xff\xff\xff\xff\xff\xff\xff\xff", 8);
  const std::string_view zero("\0\0\0\0\0\0\0\0", 8);
  std::size_t at = 0;
  bool has_sound = false;
  while (slice(bytes, at, 4) == "OggS" && at + 27 <= bytes.size()) {
    const std::size_t head = 27 + byte_at(bytes, at + 26);
    std::size_t size = 0;
    for (std::size_t i = 27; i < head; ++i) size += byte_at(bytes, at + i);
    if (at + head + size > bytes.size()) break;
    const std::string_view position = bytes.substr(at + 6, 8);
    has_sound = has_sound || (position != zero && position != none);
    if (!has_sound) out.take(bytes.substr(at + head, size));
    at += head + size;
  }
  out.take(slice(bytes, at, bytes.size()));
  return has_sound;
}

// Bytes of the frame of MPEG audio, layer III, or of ADTS that begins there; 0: none does.
std::size_t frame_bytes(std::string_view bytes, std::size_t at) {
  if (at + 7 > bytes.size() || byte_at(bytes, at) != 0xff) return 0;
  const unsigned second = byte_at(bytes, at + 1);
  const unsigned third = byte_at(bytes, at + 2);
  if ((second & 0xf6U) == 0xf0) {
    const std::size_t size = (byte_at(bytes, at + 3) & 3U) << 11U | byte_at(bytes, at + 4) << 3U |
                             byte_at(bytes, at + 5) >> 5U;
    return size < 7 ? 0 : size;
  }
  constexpr std::array<unsigned, 15> kFirst = {0,   32,  40,  48,  56,  64,  80, 96,
                                               112, 128, 160, 192, 224, 256, 320};
  constexpr std::array<unsigned, 15> kSecond = {0,  8,  16, 24,  32,  40,  48, 56,
                                                64, 80, 96, 112, 128, 144, 160};
  constexpr std::array<unsigned, 3> kRates = {44100, 48000, 32000};
  const unsigned version = second >> 3U & 3U;  // 0: 2.5, 2: 2, 3: 1
  const unsigned kind = third >> 4U;
  const unsigned rate = third >> 2U & 3U;
  if ((second & 0xe6U) != 0xe2 || version == 1 || kind == 0 || kind == 15 || rate == 3) return 0;
  const unsigned bits = (version == 3 ? kFirst : kSecond)[kind] * 1000;
  const unsigned hertz = kRates[rate] >> (version == 3 ? 0U : version == 2 ? 1U : 2U);
  return (version == 3 ? 144U : 72U) * bits / hertz + (third >> 1U & 1U);
}

std::size_t synchsafe(std::string_view bytes, std::size_t at) {
  std::size_t value = 0;
  for (std::size_t i = 0; i < 4; ++i) value = value << 7U | (byte_at(bytes, at + i) & 0x7fU);
  return value;
}

void take_id3(std::string_view tag, bool is_newest, MediaText& out) {
  std::size_t at = 0;
  while (at + 10 <= tag.size() && tag[at] >= 'A' && tag[at] <= 'Z') {
    const std::size_t size = is_newest ? synchsafe(tag, at + 4) : big_endian(tag, at + 4, 4);
    if (size > tag.size() - at - 10) break;
    const std::string_view data = tag.substr(at + 10, size);
    if (tag.substr(at, 4) == "APIC")
      take_attached(data, out);
    else
      out.take(data);
    at += 10 + size;
  }
  out.take(slice(tag, at, tag.size()));
}

bool read_frames(std::string_view bytes, MediaText& out) {
  constexpr std::size_t kMinFrames = 3;
  std::size_t at = 0;
  if (bytes.starts_with("ID3")) {
    const std::string_view tag = slice(bytes, 10, synchsafe(bytes, 6));
    take_id3(tag, byte_at(bytes, 3) >= 4, out);
    at = 10 + tag.size();
  }
  std::size_t frames = 0;
  for (std::size_t size = 0; (size = frame_bytes(bytes, at)) != 0; ++frames) at += size;
  out.take(slice(bytes, at, bytes.size()));
  return frames >= kMinFrames;
}

bool read_mp4(std::string_view bytes, MediaText& out) {
  std::size_t at = 0;
  bool has_sound = false;
  bool has_index = false;
  while (at + 8 <= bytes.size()) {
    const std::size_t rest = bytes.size() - at;
    std::size_t size = big_endian(bytes, at, 4);
    const std::string_view type = bytes.substr(at + 4, 4);
    std::size_t head = 8;
    if (size == 0) size = rest;
    if (size == 1) {
      head = 16;
      size = big_endian(bytes, at + 8, 4) == 0 ? big_endian(bytes, at + 12, 4) : rest + 1;
    }
    if (size < head || size > rest) break;
    has_sound = has_sound || type == "mdat";
    has_index = has_index || type == "moov" || type == "moof";
    if (type != "mdat") out.take(bytes.substr(at + head, size - head));
    at += size;
  }
  out.take(slice(bytes, at, bytes.size()));
  return has_sound && has_index;
}

bool is_mp4(std::string_view bytes) { return slice(bytes, 4, 4) == "ftyp"; }

// A frame, whatever its numbers say: there are too few bytes here to look for the next.
bool is_frame(std::string_view bytes) {
  const unsigned second = byte_at(bytes, 1);
  return byte_at(bytes, 0) == 0xff && ((second & 0xf6U) == 0xf0 || (second & 0xe6U) == 0xe2);
}

}  // namespace

bool begins_as_sound(std::string_view bytes) {
  return is_wave(bytes) || is_mp4(bytes) || bytes.starts_with("fLaC") ||
         bytes.starts_with("OggS") || bytes.starts_with("ID3") || is_frame(bytes);
}

bool read_sound(std::string_view bytes, MediaText& out) {
  if (is_wave(bytes)) return read_wave(bytes, out);
  if (is_mp4(bytes)) return read_mp4(bytes, out);
  if (bytes.starts_with("fLaC")) return read_flac(bytes, out);
  if (bytes.starts_with("OggS")) return read_ogg(bytes, out);
  if (!bytes.starts_with("ID3") && frame_bytes(bytes, 0) == 0) return false;
  return read_frames(bytes, out);
}

}  // namespace aispm::codec
