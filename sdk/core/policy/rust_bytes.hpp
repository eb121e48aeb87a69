// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <string_view>

#include "sdk/core/policy/rust/aispm_policy_rust.h"

namespace aispm::policy {

// Bytes that the Rust library gave and takes back.
class RustBytes {
 public:
  RustBytes() = default;
  RustBytes(const RustBytes&) = delete;
  RustBytes& operator=(const RustBytes&) = delete;
  ~RustBytes() { aispm_bytes_free(bytes_); }

  aispm_bytes* out() { return &bytes_; }
  std::string_view text() const {
    return {reinterpret_cast<const char*>(bytes_.data), bytes_.size};
  }

 private:
  aispm_bytes bytes_{};
};

}  // namespace aispm::policy
