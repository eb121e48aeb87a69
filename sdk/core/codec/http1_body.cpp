// SPDX-License-Identifier: Apache-2.0
#include <algorithm>
#include <array>
#include <string>

#include "sdk/core/codec/http1.hpp"

namespace aispm::codec::http1 {
namespace {

constexpr std::array<std::string_view, 3> kFramingNames = {"content-length", "transfer-encoding",
                                                           "host"};

tl::unexpected<Error> bad(std::string_view what) {
  return fail(Errc::kInvalid, "http body: " + std::string(what));
}

int hex_value(char c) {
  if (c >= '0' && c <= '9') return c - '0';
  if (c >= 'a' && c <= 'f') return c - 'a' + 10;
  if (c >= 'A' && c <= 'F') return c - 'A' + 10;
  return -1;
}

bool is_text_byte(char c) {
  const auto byte = static_cast<unsigned char>(c);
  return (byte >= 0x20 && byte != 0x7f) || byte == '\t';
}

bool is_token_byte(char c) {
  return (c >= '0' && c <= '9') || (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') ||
         std::string_view("!#$%&'*+-.^_`|~").find(c) != std::string_view::npos;
}

}  // namespace

BodyReader::BodyReader(BodyKind kind, std::uint64_t content_length) {
  switch (kind) {
    case BodyKind::kNone:
      break;
    case BodyKind::kLength:
      left_ = content_length;
      state_ = left_ > 0 ? State::kLength : State::kDone;
      break;
    case BodyKind::kChunked:
      state_ = State::kChunkLine;
      break;
    case BodyKind::kUntilClose:
    case BodyKind::kTunnel:
      state_ = State::kUntilClose;
      break;
  }
}

Result<BodyReader::Slice> BodyReader::next(std::string_view bytes) {
  if (state_ == State::kDone || bytes.empty()) return Slice{};
  if (state_ == State::kUntilClose) {
    body_bytes_ += bytes.size();
    return Slice{bytes, bytes.size()};
  }
  std::size_t framing = 0;
  if (state_ != State::kLength && state_ != State::kChunkData) {
    AISPM_TRY(framing, read_framing(bytes));
    if (state_ != State::kChunkData) return Slice{{}, framing};
    bytes.remove_prefix(framing);
  }
  const std::size_t size = static_cast<std::size_t>(std::min<std::uint64_t>(left_, bytes.size()));
  left_ -= size;
  body_bytes_ += size;
  if (left_ == 0) state_ = state_ == State::kLength ? State::kDone : State::kChunkDataCr;
  return Slice{bytes.substr(0, size), framing + size};
}

Result<> BodyReader::finish() {
  if (state_ == State::kUntilClose) state_ = State::kDone;
  if (state_ != State::kDone) return bad("the peer closed before its end");
  return {};
}

// Consumes framing up to the next chunk's data, the end of the body or the end of `bytes`.
Result<std::size_t> BodyReader::read_framing(std::string_view bytes) {
  std::size_t used = 0;
  while (used < bytes.size() && state_ != State::kChunkData && state_ != State::kDone) {
    const char byte = bytes[used++];
    switch (state_) {
      case State::kChunkLine:
        AISPM_CHECK(step_chunk_line(byte));
        break;
      case State::kChunkLineEnd:
        if (byte != '\n') return bad("CR without LF after a chunk size");
        AISPM_CHECK(end_chunk_line());
        break;
      case State::kChunkDataCr:
        if (byte != '\r') return bad("chunk longer than its size");
        state_ = State::kChunkDataLf;
        break;
      case State::kChunkDataLf:
        if (byte != '\n') return bad("CR without LF after a chunk");
        state_ = State::kChunkLine;
        break;
      default:
        AISPM_CHECK(step_trailer(byte));
        break;
    }
  }
  return used;
}

// chunk-size *( ";" extension ) CR.
Result<> BodyReader::step_chunk_line(char byte) {
  if (++line_bytes_ > kMaxChunkLineBytes)
    return fail(Errc::kTooLarge, "http body: chunk line longer than " +
                                     std::to_string(kMaxChunkLineBytes) + " bytes");
  if (byte == '\r') {
    if (digits_ == 0) return bad("chunk without size");
    AISPM_CHECK(end_extension());
    state_ = State::kChunkLineEnd;
    return {};
  }
  if (extension_ != Extension::kNone) return step_extension(byte);
  if (byte == ';' && digits_ > 0) {
    extension_ = Extension::kName;
    return {};
  }
  const int value = hex_value(byte);
  if (value < 0 || ++digits_ > kMaxChunkSizeDigits) return bad("malformed chunk size");
  left_ = left_ * 16 + static_cast<std::uint64_t>(value);
  return {};
}

// token [ "=" ( token / quoted-string ) ], and otherwise ignored. The spaces of RFC 9112 section
// 7.1.1 and what strings may hold besides are read by each parser in its own way, and sent by none.
Result<> BodyReader::step_extension(char byte) {
  const bool is_plain = is_text_byte(byte) && static_cast<unsigned char>(byte) < 0x80;
  if (extension_ == Extension::kQuoted) {
    if (byte == '"') extension_ = Extension::kAfterQuoted;
    return is_plain && byte != '\\' ? Result<>{} : bad("malformed chunk extension");
  }
  if (byte == ';') {
    AISPM_CHECK(end_extension());
    extension_ = Extension::kName;
  } else if (byte == '=' && extension_ == Extension::kName) {
    AISPM_CHECK(end_extension());
    extension_ = Extension::kValue;
  } else if (byte == '"' && extension_ == Extension::kValue && !has_word_) {
    extension_ = Extension::kQuoted;
    has_word_ = true;
  } else if (is_token_byte(byte) && extension_ != Extension::kAfterQuoted) {
    has_word_ = true;
  } else {
    return bad("malformed chunk extension");
  }
  return {};
}

Result<> BodyReader::end_extension() {
  const bool is_open = extension_ == Extension::kName || extension_ == Extension::kValue;
  if (extension_ == Extension::kQuoted || (is_open && !has_word_))
    return bad("malformed chunk extension");
  has_word_ = false;
  return {};
}

Result<> BodyReader::end_chunk_line() {
  state_ = left_ > 0 ? State::kChunkData : State::kTrailerStart;
  line_bytes_ = 0;
  digits_ = 0;
  extension_ = Extension::kNone;
  return {};
}

// Trailers are held to the rules of headers, counted against one limit, and dropped.
Result<> BodyReader::step_trailer(char byte) {
  if (++line_bytes_ > kMaxTrailerBytes)
    return fail(Errc::kTooLarge,
                "http body: trailers of more than " + std::to_string(kMaxTrailerBytes) + " bytes");
  switch (state_) {
    case State::kTrailerStart:
      if (byte == '\r') {
        state_ = State::kLastLf;
      } else if (is_token_byte(byte)) {
        state_ = State::kTrailerName;
        name_bytes_ = 0;
        framing_names_ = (1U << kFramingNames.size()) - 1;
        step_trailer_name(byte);
      } else {
        return bad("malformed trailer");
      }
      return {};
    case State::kTrailerName:
      if (byte == ':') {
        state_ = State::kTrailerValue;
        return end_trailer_name();
      }
      if (!is_token_byte(byte)) return bad("malformed trailer name");
      step_trailer_name(byte);
      return {};
    case State::kTrailerValue:
      if (byte == '\r') {
        state_ = State::kTrailerLf;
      } else if (!is_text_byte(byte)) {
        return bad("control byte in a trailer");
      }
      return {};
    case State::kTrailerLf:
      if (byte != '\n') return bad("CR without LF in a trailer");
      state_ = State::kTrailerStart;
      return {};
    default:  // kLastLf
      if (byte != '\n') return bad("CR without LF at the end");
      state_ = State::kDone;
      return {};
  }
}

// Compares with all names at once, so that none is kept.
void BodyReader::step_trailer_name(char byte) {
  for (std::size_t i = 0; i < kFramingNames.size(); ++i) {
    const std::string_view name = kFramingNames[i];
    if (name_bytes_ >= name.size() || !equal_name({&byte, 1}, name.substr(name_bytes_, 1)))
      framing_names_ &= static_cast<std::uint8_t>(~(1U << i));
  }
  if (name_bytes_ < UINT8_MAX) ++name_bytes_;
}

// RFC 9110 section 6.5.1: who joins trailers to the header would frame the message anew.
Result<> BodyReader::end_trailer_name() const {
  for (std::size_t i = 0; i < kFramingNames.size(); ++i)
    if ((framing_names_ >> i & 1U) != 0 && name_bytes_ == kFramingNames[i].size())
      return bad("trailer " + std::string(kFramingNames[i]));
  return {};
}

}  // namespace aispm::codec::http1
