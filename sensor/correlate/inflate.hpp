// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <cstddef>
#include <cstdint>
#include <functional>
#include <memory>
#include <string_view>

#include "sdk/core/common/result.hpp"

namespace aispm::sensor {

// What one encoded body may become, and by how much it may grow: a small body must not fill memory.
inline constexpr std::size_t kMaxInflatedBytes = 64U << 20;
inline constexpr std::size_t kMaxInflateRatio = 200;
// Below this size the ratio is not looked at.
inline constexpr std::size_t kInflateRatioFloorBytes = 1U << 20;

// Undoes Content-Encoding gzip and deflate (zlib or raw, as senders differ) as bytes arrive. Not
// thread-safe.
class Inflater {
 public:
  enum class Format { kGzip, kDeflate };

  explicit Inflater(Format format);
  ~Inflater();
  Inflater(Inflater&&) noexcept;
  Inflater& operator=(Inflater&&) noexcept;

  // Calls use(piece) with decoded bytes. kInvalid for a broken stream, kTooLarge past a limit; then
  // no more is decoded.
  Result<> feed(std::string_view bytes, const std::function<void(std::string_view)>& use);

 private:
  struct State;
  std::unique_ptr<State> state_;
};

}  // namespace aispm::sensor
