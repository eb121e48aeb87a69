// SPDX-License-Identifier: Apache-2.0
#include "sdk/core/codec/websocket.hpp"

#include <zlib.h>

#include <algorithm>
#include <array>

#include "sdk/core/codec/http1.hpp"

namespace aispm::codec::websocket {
namespace {

enum Opcode : std::uint8_t {
  kContinuation = 0,
  kTextFrame = 1,
  kBinaryFrame = 2,
  kCloseFrame = 8,
  kPingFrame = 9,
  kPongFrame = 10,
};

// RFC 7692 section 7.2.2: what a sender leaves out at the end of a message.
constexpr std::string_view kDeflateTail("\x00\x00\xFF\xFF", 4);
constexpr std::size_t kPieceBytes = 16384;

std::string_view trimmed(std::string_view text) {
  const auto is_blank = [](char c) { return c == ' ' || c == '\t'; };
  while (!text.empty() && is_blank(text.front())) text.remove_prefix(1);
  while (!text.empty() && is_blank(text.back())) text.remove_suffix(1);
  return text;
}

std::string_view take_until(std::string_view& text, char separator) {
  const std::size_t end = text.find(separator);
  const std::string_view part = trimmed(text.substr(0, end));
  text = end == std::string_view::npos ? std::string_view() : text.substr(end + 1);
  return part;
}

bool set_once(bool& flag) {
  if (flag) return false;
  flag = true;
  return true;
}

bool is_control(std::uint8_t opcode) { return (opcode & 8) != 0; }

}  // namespace

Result<Extensions> read_extensions(std::string_view header) {
  Extensions extensions;
  while (!trimmed(header).empty()) {
    std::string_view one = take_until(header, ',');
    const std::string_view name = take_until(one, ';');
    if (!http1::equal_name(name, "permessage-deflate"))
      return fail(Errc::kUnsupported, "websocket: an extension not known");
    if (!set_once(extensions.deflate))
      return fail(Errc::kInvalid, "websocket: an extension agreed on twice");
    while (!trimmed(one).empty()) {
      const std::string_view parameter = take_until(one, ';');
      const std::string_view key = trimmed(parameter.substr(0, parameter.find('=')));
      bool is_known = http1::equal_name(key, "client_max_window_bits") ||
                      http1::equal_name(key, "server_max_window_bits");
      if (http1::equal_name(key, "client_no_context_takeover"))
        is_known = set_once(extensions.client_no_context_takeover);
      if (http1::equal_name(key, "server_no_context_takeover"))
        is_known = set_once(extensions.server_no_context_takeover);
      if (!is_known) return fail(Errc::kInvalid, "websocket: a malformed extension parameter");
    }
  }
  return extensions;
}

struct Reader::State {
  State(Sender who, Extensions agreed, std::size_t limit)
      : sender(who), extensions(agreed), limit_bytes(limit) {}
  State(const State&) = delete;
  State& operator=(const State&) = delete;
  ~State() {
    if (inflater_begun) inflateEnd(&inflater);
  }

  Sender sender;
  Extensions extensions;
  std::size_t limit_bytes;
  bool lost = false;
  std::uint64_t broken = 0;

  std::string head;  // of a frame, while it is not complete
  bool in_payload = false;
  std::uint8_t opcode = 0;
  bool is_final = false;
  bool is_masked = false;
  std::array<char, 4> mask{};
  std::uint64_t left = 0;  // payload bytes still to come
  std::uint64_t at = 0;    // payload bytes of the frame so far
  std::string control;     // payload of a control frame
  bool control_whole = true;

  bool in_message = false;
  std::uint8_t message_opcode = 0;
  bool is_compressed = false;
  std::string message;
  bool is_whole = true;

  z_stream inflater{};
  bool inflater_begun = false;
  bool inflater_lost = false;
  std::uint64_t inflated_bytes = 0;  // of this message

  Result<> refuse(std::string_view what) {
    lost = true;
    head.clear();
    message = {};
    control.clear();
    return fail(Errc::kInvalid, "websocket: " + std::string(what));
  }

  std::size_t head_bytes() const;
  Result<> begin_frame(const Sink& sink);
  void take(std::string_view bytes);
  void unmask(std::string& bytes) const;
  void append(std::string_view bytes);
  void inflate_piece(std::string_view bytes);
  bool takes_over() const {
    return sender == Sender::kClient ? !extensions.client_no_context_takeover
                                     : !extensions.server_no_context_takeover;
  }
  Result<> end_frame(const Sink& sink);
  void end_message(const Sink& sink);
  Result<> end_control(const Sink& sink);
};

// Size of the frame's head, as far as its first two bytes tell.
std::size_t Reader::State::head_bytes() const {
  if (head.size() < 2) return 2;
  const unsigned length = static_cast<unsigned char>(head[1]) & 0x7FU;
  const std::size_t extended = length == 126 ? 2 : length == 127 ? 8 : 0;
  return 2 + extended + ((static_cast<unsigned char>(head[1]) & 0x80U) != 0 ? 4 : 0);
}

Result<> Reader::State::begin_frame(const Sink& sink) {
  const auto first = static_cast<std::uint8_t>(head[0]);
  const auto second = static_cast<std::uint8_t>(head[1]);
  opcode = first & 0x0F;
  is_final = (first & 0x80) != 0;
  is_masked = (second & 0x80) != 0;
  const bool is_first_of_message = opcode == kTextFrame || opcode == kBinaryFrame;
  const bool rsv1 = (first & 0x40) != 0;
  if ((first & 0x30) != 0 || (rsv1 && (!extensions.deflate || !is_first_of_message)))
    return refuse("reserved bits are set");
  if (is_masked != (sender == Sender::kClient)) return refuse("masking of the wrong side");
  if (opcode > kPongFrame || (opcode > kBinaryFrame && opcode < kCloseFrame))
    return refuse("a reserved opcode");
  left = second & 0x7F;
  std::size_t used = 2;
  if (left >= 126) {
    const std::size_t digits = left == 126 ? 2 : 8;
    left = 0;
    for (std::size_t i = 0; i < digits; ++i)
      left = left << 8 | static_cast<unsigned char>(head[used + i]);
    used += digits;
    if ((left >> 63) != 0) return refuse("a length of more than 63 bits");
  }
  if (is_masked) std::copy_n(head.begin() + static_cast<std::ptrdiff_t>(used), 4, mask.begin());
  head.clear();
  at = 0;
  if (is_control(opcode)) {
    if (!is_final || left > kMaxControlBytes) return refuse("a long or fragmented control frame");
    control.clear();
    control_whole = true;
  } else if (is_first_of_message) {
    if (in_message) return refuse("a message inside a message");
    in_message = true;
    message_opcode = opcode;
    is_compressed = rsv1;
    is_whole = true;
    message.clear();
    inflated_bytes = 0;
  } else if (!in_message) {
    return refuse("a continuation of nothing");
  }
  in_payload = true;
  return left == 0 ? end_frame(sink) : Result<>();
}

void Reader::State::unmask(std::string& bytes) const {
  for (std::size_t i = 0; i < bytes.size(); ++i)
    bytes[i] = static_cast<char>(bytes[i] ^ mask[(at + i) % 4]);
}

void Reader::State::take(std::string_view bytes) {
  std::string plain;
  if (is_masked) {
    plain.assign(bytes);
    unmask(plain);
    bytes = plain;
  }
  at += bytes.size();
  left -= bytes.size();
  if (is_control(opcode)) {
    control.append(bytes);
  } else if (is_compressed) {
    inflate_piece(bytes);
  } else {
    append(bytes);
  }
}

void Reader::State::append(std::string_view bytes) {
  const std::size_t room = limit_bytes - message.size();
  if (bytes.size() > room) is_whole = false;
  message.append(bytes.substr(0, room));
}

void Reader::State::inflate_piece(std::string_view bytes) {
  if (!inflater_begun) inflater_begun = inflateInit2(&inflater, -MAX_WBITS) == Z_OK;
  if (inflater_lost || !inflater_begun) {
    is_whole = false;
    return;
  }
  std::array<char, kPieceBytes> out;
  while (!bytes.empty()) {
    const std::string_view part = bytes.substr(0, kPieceBytes);
    bytes.remove_prefix(part.size());
    inflater.next_in = reinterpret_cast<Bytef*>(const_cast<char*>(part.data()));
    inflater.avail_in = static_cast<uInt>(part.size());
    do {
      inflater.next_out = reinterpret_cast<Bytef*>(out.data());
      inflater.avail_out = static_cast<uInt>(out.size());
      const int status = inflate(&inflater, Z_SYNC_FLUSH);
      const std::size_t size = out.size() - inflater.avail_out;
      inflated_bytes += size;
      append({out.data(), size});
      const bool is_broken = status != Z_OK && status != Z_BUF_ERROR && status != Z_STREAM_END;
      if (is_broken || inflated_bytes > kMaxInflatedBytes) {
        inflater_lost = true;
        is_whole = false;
        return;
      }
      // A final block ends the deflate stream, not the message (RFC 7692 section 7.2.3.5).
      if (status == Z_STREAM_END) inflateReset(&inflater);
      if (status == Z_BUF_ERROR && size == 0) break;
    } while (inflater.avail_in > 0 || inflater.avail_out == 0);
  }
}

Result<> Reader::State::end_frame(const Sink& sink) {
  in_payload = false;
  if (is_control(opcode)) return end_control(sink);
  if (is_final) end_message(sink);
  return {};
}

void Reader::State::end_message(const Sink& sink) {
  if (is_compressed) {
    inflate_piece(kDeflateTail);
    if (!takes_over() && inflater_begun) {
      inflateReset(&inflater);
      inflater_lost = false;
    }
  }
  in_message = false;
  Message result;
  result.kind = message_opcode == kTextFrame ? Message::Kind::kText : Message::Kind::kBinary;
  result.data = message;
  result.is_whole = is_whole;
  broken += is_whole ? 0 : 1;
  sink(result);
  message = {};
}

Result<> Reader::State::end_control(const Sink& sink) {
  Message result;
  result.kind = opcode == kCloseFrame  ? Message::Kind::kClose
                : opcode == kPingFrame ? Message::Kind::kPing
                                       : Message::Kind::kPong;
  result.is_whole = control_whole;
  broken += control_whole ? 0 : 1;
  result.data = control;
  if (opcode == kCloseFrame && control_whole && !control.empty()) {
    if (control.size() == 1) return refuse("a close frame with half a code");
    result.close_code = static_cast<std::uint16_t>(static_cast<unsigned char>(control[0]) << 8 |
                                                   static_cast<unsigned char>(control[1]));
    result.data.remove_prefix(2);
  }
  sink(result);
  control.clear();
  return {};
}

Reader::Reader(Sender sender, Extensions extensions, std::size_t limit_bytes)
    : state_(std::make_unique<State>(sender, extensions, limit_bytes)) {}
Reader::~Reader() = default;
Reader::Reader(Reader&&) noexcept = default;
Reader& Reader::operator=(Reader&&) noexcept = default;

Result<> Reader::feed(std::string_view bytes, const Sink& sink) {
  State& state = *state_;
  if (state.lost) return fail(Errc::kInvalid, "websocket: failed before");
  while (!bytes.empty()) {
    if (state.in_payload) {
      const std::string_view part = bytes.substr(0, state.left);
      bytes.remove_prefix(part.size());
      state.take(part);
      if (state.left == 0) AISPM_CHECK(state.end_frame(sink));
      continue;
    }
    const std::string_view part = bytes.substr(0, state.head_bytes() - state.head.size());
    bytes.remove_prefix(part.size());
    state.head.append(part);
    if (state.head.size() == state.head_bytes()) AISPM_CHECK(state.begin_frame(sink));
  }
  return {};
}

bool Reader::skip(std::uint64_t size) {
  State& state = *state_;
  if (state.lost || size == 0) return !state.lost;
  // The last byte of a frame must be seen, or nobody tells when it ended.
  if (!state.in_payload || size >= state.left) {
    (void)state.refuse("bytes around a frame's head were lost");
    return false;
  }
  state.left -= size;
  state.at += size;
  if (is_control(state.opcode)) {
    state.control_whole = false;
  } else {
    state.is_whole = false;
    if (state.is_compressed) state.inflater_lost = true;
  }
  return true;
}

bool Reader::is_lost() const { return state_->lost; }
std::size_t Reader::held_bytes() const {
  return state_->message.size() + state_->control.size() + state_->head.size();
}
std::uint64_t Reader::broken_messages() const { return state_->broken; }

}  // namespace aispm::codec::websocket
