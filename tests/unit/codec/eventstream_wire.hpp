// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <zlib.h>

#include <cstdint>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

// Writes application/vnd.amazon.eventstream messages as AWS does.
namespace aispm::codec::testing_support {

inline std::string big_endian(std::uint32_t value) {
  std::string out;
  for (const int shift : {24, 16, 8, 0}) out.push_back(static_cast<char>(value >> shift & 0xFF));
  return out;
}

inline std::string with_crc(std::string bytes) {
  return bytes + big_endian(static_cast<std::uint32_t>(
                     crc32_z(0, reinterpret_cast<const Bytef*>(bytes.data()), bytes.size())));
}

using EventHeaders = std::vector<std::pair<std::string, std::string>>;

inline std::string event_message(const EventHeaders& headers, std::string_view payload) {
  std::string block;
  for (const auto& [name, value] : headers) {
    block.push_back(static_cast<char>(name.size()));
    block += name;
    block.push_back(7);
    block.push_back(static_cast<char>(value.size() >> 8));
    block.push_back(static_cast<char>(value.size() & 0xFF));
    block += value;
  }
  const auto total = static_cast<std::uint32_t>(16 + block.size() + payload.size());
  return with_crc(
      with_crc(big_endian(total) + big_endian(static_cast<std::uint32_t>(block.size()))) + block +
      std::string(payload));
}

inline std::string aws_event(std::string_view name, std::string_view payload) {
  return event_message({{":event-type", std::string(name)},
                        {":content-type", "application/json"},
                        {":message-type", "event"}},
                       payload);
}

inline std::string base64(std::string_view text) {
  static constexpr char kDigits[] =
      "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";
  std::string out;
  for (std::size_t i = 0; i < text.size(); i += 3) {
    std::uint32_t bits = 0;
    const std::size_t taken = std::min<std::size_t>(3, text.size() - i);
    for (std::size_t k = 0; k < 3; ++k)
      bits = bits << 8 | (k < taken ? static_cast<unsigned char>(text[i + k]) : 0U);
    for (std::size_t k = 0; k < 4; ++k)
      out.push_back(k <= taken ? kDigits[bits >> (18 - 6 * k) & 63] : '=');
  }
  return out;
}

// A piece of an InvokeModelWithResponseStream reply.
inline std::string aws_chunk(std::string_view inner) {
  return aws_event("chunk", "{\"bytes\":\"" + base64(inner) + "\",\"p\":\"abcd\"}");
}

}  // namespace aispm::codec::testing_support
