// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <nghttp2/nghttp2.h>

#include <string_view>

#include "sdk/core/codec/http2.hpp"
#include "sdk/core/common/c_ptr.hpp"

// Private to http2*.cpp: the only user of nghttp2.
namespace aispm::codec::http2 {

// Header compression of one direction. A table whose past is unknown is filled with placeholders:
// they stand where the unseen entries stand, so every index that a sender may use finds either what
// it means or a placeholder, and placeholders leave the table as the real entries do. (A
// placeholder takes the 32 bytes that RFC 7541 counts for an empty entry, so there are at least as
// many of them as there can be unseen entries.) Not thread-safe.
class Hpack {
 public:
  // `knows_past` false: entries may have been made before the first block given to read().
  explicit Hpack(bool knows_past);

  // Reads one whole block into `head`. kInvalid when it cannot be read; the table is then one with
  // an unseen past.
  Result<> read(std::string_view block, Head& head);

  // Bytes of this direction were lost: so may be insertions into the table.
  void forget_past() {
    knows_past_ = false;
    needs_reset_ = true;
  }

 private:
  Result<> reset();
  Result<> inflate(std::string_view block, Head* head);

  CPtr<nghttp2_hd_inflater, nghttp2_hd_inflate_del> inflater_;
  bool knows_past_;
  bool needs_reset_ = true;
  std::size_t seeded_bytes_;
};

}  // namespace aispm::codec::http2
