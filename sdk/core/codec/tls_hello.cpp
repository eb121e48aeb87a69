// SPDX-License-Identifier: Apache-2.0
#include "sdk/core/codec/tls_hello.hpp"

#include <algorithm>
#include <cstdint>

namespace aispm::codec {
namespace {

constexpr std::size_t kMaxNameBytes = 253;  // RFC 1035
constexpr std::size_t kMaxAlpnBytes = 32;
constexpr std::uint16_t kServerName = 0;
constexpr std::uint16_t kAlpn = 16;
constexpr std::uint16_t kEncryptedHello = 0xfe0d;

// Takes big-endian numbers and length-prefixed bytes from the front; after a failure it stays empty
// and is_good() is false.
class Cursor {
 public:
  explicit Cursor(std::string_view bytes) : rest_(bytes) {}

  std::uint32_t number(std::size_t size) {
    std::uint32_t value = 0;
    for (const char c : take(size)) value = value << 8 | static_cast<std::uint8_t>(c);
    return value;
  }
  std::string_view take(std::size_t size) {
    if (size > rest_.size()) {
      is_good_ = false;
      rest_ = {};
      return {};
    }
    const std::string_view taken = rest_.substr(0, size);
    rest_.remove_prefix(size);
    return taken;
  }
  // As many bytes as the number before them says.
  std::string_view vector(std::size_t size_of_size) { return take(number(size_of_size)); }
  bool is_empty() const { return rest_.empty(); }
  bool is_good() const { return is_good_; }

 private:
  std::string_view rest_;
  bool is_good_ = true;
};

void read_server_name(Cursor extension, HelloFacts& facts) {
  Cursor names(extension.vector(2));
  while (!names.is_empty()) {
    const std::uint32_t type = names.number(1);
    const std::string_view name = names.vector(2);
    ++facts.server_names;
    if (type == 0 && facts.server_name.empty()) facts.server_name = clean_name(name);
  }
}

void read_alpn(Cursor extension, HelloFacts& facts) {
  Cursor protocols(extension.vector(2));
  const std::string_view first = protocols.vector(1);
  const bool is_text =
      std::all_of(first.begin(), first.end(), [](char c) { return c > 32 && c < 127; });
  if (is_text) facts.alpn = first.substr(0, kMaxAlpnBytes);
}

bool read_body(std::string_view body, HelloFacts& facts) {
  Cursor hello(body);
  hello.take(2 + 32);  // version, random
  hello.vector(1);     // session id
  hello.vector(2);     // cipher suites
  hello.vector(1);     // compression
  if (!hello.is_good()) return false;
  if (hello.is_empty()) return true;  // no extensions: SSL 3
  Cursor extensions(hello.vector(2));
  while (!extensions.is_empty()) {
    const std::uint32_t type = extensions.number(2);
    const Cursor content(extensions.vector(2));
    if (!extensions.is_good()) return false;
    if (type == kServerName) read_server_name(content, facts);
    if (type == kAlpn) read_alpn(content, facts);
    if (type == kEncryptedHello) facts.encrypted_hello = true;
  }
  return hello.is_good() && extensions.is_good();
}

}  // namespace

std::string clean_name(std::string_view text) {
  if (text.ends_with('.')) text.remove_suffix(1);
  if (text.empty() || text.size() > kMaxNameBytes) return "";
  std::string name(text);
  for (char& c : name) {
    if (c >= 'A' && c <= 'Z') c = static_cast<char>(c | 0x20);
    const bool is_allowed =
        (c >= 'a' && c <= 'z') || (c >= '0' && c <= '9') || c == '.' || c == '-' || c == '_';
    if (!is_allowed) return "";
  }
  return name;
}

HelloParse parse_client_hello(std::string_view handshake) {
  using State = HelloParse::State;
  if (handshake.empty()) return {State::kPart, {}};
  if (handshake[0] != 1) return {State::kNone, {}};
  if (handshake.size() < 4) return {State::kPart, {}};
  Cursor header(handshake.substr(1));
  const std::size_t size = header.number(3);
  if (size > kMaxHelloBytes) return {State::kNone, {}};
  if (handshake.size() < 4 + size) return {State::kPart, {}};
  HelloParse parse{State::kWhole, {}};
  if (!read_body(handshake.substr(4, size), parse.facts)) return {State::kNone, {}};
  return parse;
}

HelloParse parse_hello_records(std::string_view stream) {
  using State = HelloParse::State;
  constexpr std::size_t kHeader = 5;
  constexpr char kHandshake = 22;
  std::string message;
  while (true) {
    if (!stream.empty() && stream[0] != kHandshake) return {State::kNone, {}};
    if (stream.size() > 1 && stream[1] != 3) return {State::kNone, {}};
    if (stream.size() < kHeader) return {State::kPart, {}};
    Cursor header(stream.substr(3));
    const std::size_t size = header.number(2);
    if (size == 0 || size > kMaxHelloBytes) return {State::kNone, {}};
    stream.remove_prefix(kHeader);
    message.append(stream.substr(0, size));
    if (message.size() > kMaxHelloBytes + 4) return {State::kNone, {}};
    HelloParse parse = parse_client_hello(message);
    if (parse.state != State::kPart) return parse;
    if (stream.size() < size) return {State::kPart, {}};
    stream.remove_prefix(size);
  }
}

}  // namespace aispm::codec
