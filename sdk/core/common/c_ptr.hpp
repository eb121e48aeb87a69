// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <memory>

namespace aispm {

template <auto Free>
struct CFree {
  template <typename T>
  void operator()(T* pointer) const {
    (void)Free(pointer);
  }
};

// unique_ptr with a C library's own free function: `using SslContext = CPtr<SSL_CTX,
// SSL_CTX_free>;`
template <typename T, auto Free>
using CPtr = std::unique_ptr<T, CFree<Free>>;

}  // namespace aispm
