// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <nghttp2/nghttp2.h>

#include <memory>
#include <string>
#include <string_view>
#include <vector>

#include "sdk/core/codec/http2.hpp"

// Writes HTTP/2 as a peer does; header blocks come from nghttp2's deflater with its dynamic table.
namespace aispm::codec::http2::testing_support {

using Fields = std::vector<std::pair<std::string, std::string>>;

inline std::string u32(std::uint32_t value) {
  std::string out;
  for (const int shift : {24, 16, 8, 0}) out.push_back(static_cast<char>(value >> shift & 0xFF));
  return out;
}

inline std::string frame(unsigned type, unsigned flags, std::uint32_t stream,
                         std::string_view payload) {
  std::string out = u32(static_cast<std::uint32_t>(payload.size())).substr(1);
  out.push_back(static_cast<char>(type));
  out.push_back(static_cast<char>(flags));
  return out + u32(stream) + std::string(payload);
}

inline std::string settings() { return frame(4, 0, 0, std::string("\0\3\0\0\0\x64", 6)); }
inline std::string data(std::uint32_t stream, std::string_view bytes, bool is_last) {
  return frame(0, is_last ? 1 : 0, stream, bytes);
}

class Deflater {
 public:
  explicit Deflater(std::size_t table_bytes = 4096) {
    nghttp2_hd_deflate_new(&deflater_, table_bytes);
  }
  Deflater(const Deflater&) = delete;
  Deflater& operator=(const Deflater&) = delete;
  ~Deflater() { nghttp2_hd_deflate_del(deflater_); }

  std::string block(const Fields& fields) {
    std::vector<nghttp2_nv> list;
    for (const auto& [name, value] : fields)
      list.push_back({reinterpret_cast<std::uint8_t*>(const_cast<char*>(name.data())),
                      reinterpret_cast<std::uint8_t*>(const_cast<char*>(value.data())), name.size(),
                      value.size(), NGHTTP2_NV_FLAG_NONE});
    std::string out(nghttp2_hd_deflate_bound(deflater_, list.data(), list.size()), '\0');
    const ssize_t size =
        nghttp2_hd_deflate_hd(deflater_, reinterpret_cast<std::uint8_t*>(out.data()), out.size(),
                              list.data(), list.size());
    out.resize(static_cast<std::size_t>(size));
    return out;
  }

  // HEADERS with END_HEADERS.
  std::string headers(std::uint32_t stream, const Fields& fields, bool is_last = false) {
    return frame(1, is_last ? 5 : 4, stream, block(fields));
  }

 private:
  nghttp2_hd_deflater* deflater_ = nullptr;
};

inline Fields ask(std::string path) {
  return {{":method", "POST"},
          {":scheme", "https"},
          {":authority", "api.example.com"},
          {":path", std::move(path)},
          {"content-type", "application/json"},
          {"x-agent", "seven"}};
}
inline Fields answer() {
  return {{":status", "200"}, {"content-type", "text/event-stream"}, {"x-request-id", "r-1"}};
}

}  // namespace aispm::codec::http2::testing_support
