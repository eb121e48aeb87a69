// SPDX-License-Identifier: Apache-2.0
// Reads byte streams as the gateway does and says what it finds in them, for comparison with other
// parsers (test_differential.py). In: role ('q' requests, 'r' replies to GET, 'h' replies to HEAD),
// size of a piece (4 bytes, little endian), size (4 bytes), bytes; and so on. Out: a line of JSON
// for each. A stream read whole and read in pieces must be read alike.
#include <cstdint>
#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <iostream>
#include <string>

#include "sdk/core/codec/http1.hpp"

namespace {

using namespace aispm::codec::http1;

std::string hex(std::string_view bytes) {
  static constexpr char kDigits[] = "0123456789abcdef";
  std::string out = "\"";
  for (const char c : bytes) {
    out += kDigits[static_cast<unsigned char>(c) >> 4];
    out += kDigits[static_cast<unsigned char>(c) & 15];
  }
  return out + "\"";
}

std::string describe(const Head& head) {
  std::string out = "{\"method\":" + hex(head.method) + ",\"target\":" + hex(head.target) +
                    ",\"status\":" + std::to_string(head.status) +
                    ",\"minor\":" + std::to_string(head.minor_version) + ",\"headers\":[";
  for (const Header& header : head.headers) {
    if (out.back() != '[') out += ',';
    out += "[" + hex(header.name) + "," + hex(header.value) + "]";
  }
  return out + "]";
}

// One direction of a connection, given piece by piece.
class Reading {
 public:
  Reading(HeadParser::Role role, std::string_view method) : parser_(role), method_(method) {}

  void feed(std::string_view piece) {
    if (!end_.empty()) return;
    buffer_.append(piece);
    std::string_view left = buffer_;
    while (end_.empty() && step(left)) {
    }
    buffer_.erase(0, buffer_.size() - left.size());
  }

  // The peer closed.
  std::string finish() {
    if (end_.empty() && in_body_ && body_.finish()) complete();
    if (end_.empty())
      end_ = in_body_ ? "within a body" : buffer_.empty() ? "done" : "within a head";
    std::string out =
        "{\"messages\":[" + messages_ + "],\"end\":\"" + end_ + "\",\"reason\":\"" + reason_ + "\"";
    if (in_body_) out += ",\"open\":" + head_ + ",\"body\":" + hex(bytes_) + "}";
    return out + "}";
  }

 private:
  // False when more bytes are needed.
  bool step(std::string_view& left) {
    if (!in_body_) {
      const auto head = parser_.parse(left, method_);
      if (!head) return refuse(head.error());
      if (!*head) return false;
      take(**head);
      left.remove_prefix((*head)->size_bytes);
    }
    while (!body_.done() && !left.empty()) {
      const auto slice = body_.next(left);
      if (!slice) return refuse(slice.error());
      bytes_ += slice->data;
      left.remove_prefix(slice->consumed);
    }
    if (!body_.done()) return false;
    complete();
    return true;
  }

  void take(const Head& head) {
    head_ = describe(head);
    keep_alive_ = head.keep_alive;
    is_tunnel_ = head.body == BodyKind::kTunnel || head.method == "CONNECT";
    body_ = is_tunnel_ ? BodyReader() : BodyReader(head);
    bytes_.clear();
    in_body_ = true;
  }

  void complete() {
    if (!messages_.empty()) messages_ += ',';
    messages_ += head_ + ",\"body\":" + hex(bytes_) + "}";
    in_body_ = false;
    if (is_tunnel_) end_ = "tunnel";
    if (!keep_alive_) end_ = "closed";
  }

  bool refuse(const aispm::Error& error) {
    end_ = "refused";
    reason_ = error.message;
    return false;
  }

  HeadParser parser_;
  std::string method_;
  BodyReader body_;
  std::string buffer_, head_, bytes_, messages_, end_, reason_;
  bool in_body_ = false;
  bool keep_alive_ = true;
  bool is_tunnel_ = false;
};

std::string read_stream(char role, std::string_view bytes, std::size_t piece) {
  Reading reading(role == 'q' ? HeadParser::Role::kRequest : HeadParser::Role::kReply,
                  role == 'h' ? "HEAD" : "GET");
  while (!bytes.empty()) {
    reading.feed(bytes.substr(0, piece));
    bytes.remove_prefix(std::min(piece, bytes.size()));
  }
  return reading.finish();
}

}  // namespace

int main() {
  char role = 0;
  while (std::cin.get(role)) {
    std::uint32_t piece = 0;
    std::uint32_t size = 0;
    std::cin.read(reinterpret_cast<char*>(&piece), sizeof piece);
    std::cin.read(reinterpret_cast<char*>(&size), sizeof size);
    std::string bytes(size, '\0');
    if (!std::cin.read(bytes.data(), size) || piece == 0) {
      std::fputs("read_http1: the input is cut\n", stderr);
      return 2;
    }
    const std::string whole = read_stream(role, bytes, SIZE_MAX);
    const std::string pieces = read_stream(role, bytes, piece);
    if (whole != pieces) {
      std::fprintf(stderr, "read_http1: whole   %s\nin pieces of %u: %s\n", whole.c_str(), piece,
                   pieces.c_str());
      return 1;
    }
    std::cout << whole << '\n';
  }
  return 0;
}
