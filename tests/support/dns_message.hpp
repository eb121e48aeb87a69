// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <string>
#include <string_view>

namespace aispm::test {

inline std::string dns_name(std::string_view name) {
  std::string out;
  while (!name.empty()) {
    const std::string_view label = name.substr(0, name.find('.'));
    out += static_cast<char>(label.size());
    out += label;
    name.remove_prefix(std::min(label.size() + 1, name.size()));
  }
  return out + '\0';
}

// `type` 1 = A, 28 = AAAA.
inline std::string dns_question(std::string_view name, char type = 1) {
  return std::string("\x12\x34\x01\x00\x00\x01\x00\x00\x00\x00\x00\x00", 12) + dns_name(name) +
         std::string("\0", 1) + type + std::string("\0\1", 2);
}

// One record of an answer whose owner is the question's name, by a pointer.
inline std::string dns_record(char type, std::string_view data, char ttl = 60) {
  return std::string("\xc0\x0c\0", 3) + type + std::string("\0\1\0\0\0", 5) + ttl +
         std::string("\0", 1) + static_cast<char>(data.size()) + std::string(data);
}

inline std::string dns_answer(std::string_view name, const std::string& records, char count,
                              char type = 1) {
  std::string message = dns_question(name, type);
  message[2] = '\x81';
  message[3] = '\x80';
  message[7] = count;
  return message + records;
}

}  // namespace aispm::test
