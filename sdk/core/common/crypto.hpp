// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <array>
#include <cstdint>
#include <string>
#include <string_view>

namespace aispm {

using Sha256 = std::array<std::uint8_t, 32>;

// SHA-256 (FIPS 180-4). Thread-safe.
Sha256 sha256(std::string_view bytes);
// The same as 64 lower-case hex digits: the form in which prompts, keys and tokens are stored.
std::string sha256_hex(std::string_view bytes);

// Incremental SHA-256 for bodies that arrive in pieces. Not thread-safe.
class Sha256Stream {
 public:
  Sha256Stream();
  Sha256Stream(Sha256Stream&&) noexcept;
  Sha256Stream& operator=(Sha256Stream&&) noexcept;
  ~Sha256Stream();
  void update(std::string_view bytes);
  // Ends the stream; it must not be used afterwards.
  std::string finish_hex();

 private:
  void* context_;
};

// Compares without revealing by time where the first difference is. Lengths may differ.
bool equal_in_constant_time(std::string_view left, std::string_view right);

}  // namespace aispm
