// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <bit>
#include <cstdint>
#include <string>
#include <string_view>

namespace aispm::gateway {

// Writes protobuf's wire format: the few messages of OTLP need no generated code.
// Source: protobuf.dev/programming-guides/encoding.
class ProtoWriter {
 public:
  void text(std::uint32_t field, std::string_view bytes) {
    tag(field, 2);
    varint(bytes.size());
    out_.append(bytes);
  }
  void message(std::uint32_t field, const ProtoWriter& inner) { text(field, inner.out_); }
  void number(std::uint32_t field, std::uint64_t value) {
    tag(field, 0);
    varint(value);
  }
  void fixed64(std::uint32_t field, std::uint64_t value) {
    tag(field, 1);
    little_endian(value);
  }
  void real(std::uint32_t field, double value) {
    fixed64(field, std::bit_cast<std::uint64_t>(value));
  }
  // Packed lists of fixed64 and double.
  template <typename List>
  void packed(std::uint32_t field, const List& values) {
    tag(field, 2);
    varint(values.size() * 8);
    for (const auto value : values) little_endian(std::bit_cast<std::uint64_t>(value));
  }
  const std::string& bytes() const { return out_; }

 private:
  void tag(std::uint32_t field, std::uint32_t type) { varint((field << 3U) | type); }
  void varint(std::uint64_t value) {
    for (; value >= 0x80; value >>= 7U) out_.push_back(static_cast<char>(value | 0x80U));
    out_.push_back(static_cast<char>(value));
  }
  void little_endian(std::uint64_t value) {
    for (unsigned i = 0; i < 8; ++i) out_.push_back(static_cast<char>(value >> (8 * i)));
  }
  std::string out_;
};

}  // namespace aispm::gateway
