// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <cstddef>
#include <cstdint>
#include <functional>
#include <memory>
#include <optional>
#include <string_view>
#include <vector>

#include "sdk/core/common/result.hpp"

// Undoes HTTP content codings (RFC 9110 section 8.4.1) of bodies that arrive in pieces.
namespace aispm::codec {

// What one encoded body may become, and by how much it may grow: a small body must not fill memory.
inline constexpr std::size_t kMaxDecodedBytes = 64U << 20;
inline constexpr std::size_t kMaxDecodeRatio = 200;
// Below this size the ratio is not looked at.
inline constexpr std::size_t kDecodeRatioFloorBytes = 1U << 20;
// Codings applied one after another to one body.
inline constexpr std::size_t kMaxContentCodings = 3;
// Largest zstd window, 2^23 bytes: what RFC 9659 lets a sender use.
inline constexpr int kMaxZstdWindowLog = 23;

enum class ContentCoding : std::uint8_t { kGzip, kDeflate, kBrotli, kZstd };

// The coding of one token ("gzip", "x-gzip", "deflate", "br", "zstd"; any case), else nullopt.
std::optional<ContentCoding> find_coding(std::string_view token);

struct DecodeLimits {
  std::size_t max_bytes = kMaxDecodedBytes;
  std::size_t max_ratio = kMaxDecodeRatio;
  std::size_t ratio_floor_bytes = kDecodeRatioFloorBytes;
};

// One body. Memory is bounded by the codings' windows (32 KiB, 16 MiB for br, 8 MiB for zstd),
// which are taken only as the body needs them. Not thread-safe.
class ContentDecoder {
 public:
  using Use = std::function<void(std::string_view)>;

  explicit ContentDecoder(ContentCoding coding, DecodeLimits limits = {});
  ~ContentDecoder();
  ContentDecoder(ContentDecoder&&) noexcept;
  ContentDecoder& operator=(ContentDecoder&&) noexcept;

  // For the value of a Content-Encoding header, the last coding undone first; an empty value and
  // "identity" pass the bytes on. kUnsupported for a coding we do not undo, kTooLarge for more than
  // kMaxContentCodings.
  static Result<ContentDecoder> open(std::string_view content_encoding, DecodeLimits limits = {});

  // Calls use(piece) with decoded bytes. kInvalid for a broken stream, kTooLarge past a limit;
  // after an error nothing more is decoded.
  Result<> feed(std::string_view bytes, const Use& use);

  // The body ended: kInvalid when the stream was cut before its own end.
  Result<> finish();

  // False: the bytes pass unchanged.
  bool is_encoded() const { return !stages_.empty(); }
  // Encoded bytes that came after the end of the stream. They are not decoded; a client may or may
  // not read them, so whoever enforces refuses a body that has some.
  std::uint64_t trailing_bytes() const;

  class Stage;  // one coding

 private:
  explicit ContentDecoder(DecodeLimits limits);
  Result<> feed_stage(std::size_t stage, std::string_view bytes, const Use& use);

  DecodeLimits limits_;
  std::vector<std::unique_ptr<Stage>> stages_;  // outermost coding first
  std::uint64_t total_in_ = 0;
  bool failed_ = false;
};

}  // namespace aispm::codec
