// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <cstddef>
#include <string>
#include <string_view>
#include <utility>

#include "sdk/core/codec/http1.hpp"

namespace aispm::gateway {

// A whole request at an operator's door, copied out of what arrived.
struct ArrivedRequest {
  std::string method;
  std::string target;
  std::string token;  // that it shows
  std::string body;
};

// Puts a request together from what comes piece by piece. Not thread-safe.
class AdminRequestReader {
 public:
  static constexpr std::size_t kMaxHeadBytes = 16U << 10;

  // Takes what has come; true: the request is whole, and what came behind it is dropped (there is
  // one request a connection). kInvalid or kTooLarge: it never will be.
  Result<bool> add(std::string_view bytes);
  // Once it is whole.
  ArrivedRequest take() { return std::move(request_); }

 private:
  Result<bool> read_head();

  codec::http1::HeadParser parser_{codec::http1::HeadParser::Role::kRequest};
  std::string head_;  // and what came with it
  bool has_head_ = false;
  std::size_t body_bytes_ = 0;  // as announced
  ArrivedRequest request_;
};

}  // namespace aispm::gateway
