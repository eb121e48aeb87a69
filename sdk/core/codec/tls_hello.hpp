// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <cstddef>
#include <string>
#include <string_view>

namespace aispm::codec {

// What is followed of a hello; longer ones are given up.
inline constexpr std::size_t kMaxHelloBytes = 16384;

// What a TLS ClientHello says in the open.
struct HelloFacts {
  std::string server_name;  // lower case; empty when it names none
  // How many names it carries in all. With more than one, servers may differ in which they take.
  unsigned server_names = 0;
  std::string alpn;  // the first protocol offered
  // It carries Encrypted Client Hello (or imitates it, as browsers do): the name may be a cover.
  bool encrypted_hello = false;
};

struct HelloParse {
  enum class State : std::uint8_t { kWhole, kPart, kNone };
  State state = State::kNone;  // kPart: more bytes may make it whole; kNone: it is no ClientHello
  HelloFacts facts;
};

// The handshake message itself, as QUIC carries it. RFC 8446 section 4.1.2. Pure.
HelloParse parse_client_hello(std::string_view handshake);
// The first bytes of a TCP stream: TLS records that carry the message, in one piece or several.
HelloParse parse_hello_records(std::string_view stream);

// A host name as it is compared: lower case, without the final dot; empty when `text` has bytes
// that no host name has, or more than 253 of them.
std::string clean_name(std::string_view text);

}  // namespace aispm::codec
