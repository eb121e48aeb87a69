// SPDX-License-Identifier: Apache-2.0
#include "sdk/core/codec/hpack.hpp"

#include <charconv>

namespace aispm::codec::http2 {
namespace {

// What RFC 7541 starts with, and what is tried when an index points beyond it.
constexpr std::size_t kUsualTableBytes = 4096;
constexpr std::size_t kLargeTableBytes = 16384;
constexpr std::size_t kEntryOverheadBytes = 32;

// "Literal with incremental indexing, new name" with an empty name and an empty value.
constexpr std::string_view kPlaceholder("\x40\x00\x00", 3);

// RFC 7541 section 6.3: dynamic table size update, a 5-bit prefix integer.
std::string size_update(std::size_t bytes) {
  std::string out(1, '\x3F');
  std::size_t left = bytes - 31;
  for (; left >= 128; left >>= 7) out.push_back(static_cast<char>(0x80 | (left & 0x7F)));
  out.push_back(static_cast<char>(left));
  return out;
}

std::string seed_block(std::size_t table_bytes) {
  std::string block;
  if (table_bytes > kUsualTableBytes) block = size_update(table_bytes);
  for (std::size_t used = 0; used + kEntryOverheadBytes <= table_bytes; used += kEntryOverheadBytes)
    block.append(kPlaceholder);
  return block;
}

void add_field(std::string_view name, std::string_view value, std::size_t& list_bytes, Head& head) {
  list_bytes += name.size() + value.size();
  if (head.fields.size() >= kMaxFields || list_bytes > kMaxHeaderListBytes) {
    head.is_complete = false;
    return;
  }
  // No sender has a field without a name: it is a placeholder, or was inserted under one's name.
  const bool is_unknown = name.empty();
  if (is_unknown) head.is_complete = false;
  if (name == ":status") {
    std::from_chars(value.data(), value.data() + value.size(), head.status);
  }
  head.fields.push_back({std::string(name), std::string(value), is_unknown});
}

}  // namespace

Hpack::Hpack(bool knows_past) : knows_past_(knows_past), seeded_bytes_(kUsualTableBytes) {}

Result<> Hpack::reset() {
  nghttp2_hd_inflater* inflater = nullptr;
  if (nghttp2_hd_inflate_new(&inflater) != 0) return fail(Errc::kExhausted, "hpack: no memory");
  inflater_.reset(inflater);
  // The limit is the peer's affair: whatever size the sender announces is followed.
  nghttp2_hd_inflate_change_table_size(inflater, kMaxTableBytes);
  needs_reset_ = false;
  if (knows_past_) return {};
  return inflate(seed_block(seeded_bytes_), nullptr);
}

Result<> Hpack::read(std::string_view block, Head& head) {
  if (needs_reset_) AISPM_CHECK(reset());
  auto result = inflate(block, &head);
  if (!result) {
    // An index beyond our table: the sender's may be larger than the usual.
    if (!knows_past_) seeded_bytes_ = kLargeTableBytes;
    forget_past();
  }
  return result;
}

Result<> Hpack::inflate(std::string_view block, Head* head) {
  auto next = reinterpret_cast<const std::uint8_t*>(block.data());
  std::size_t left = block.size();
  std::size_t list_bytes = 0;
  for (;;) {
    nghttp2_nv field;
    int flags = NGHTTP2_HD_INFLATE_NONE;
    const ssize_t used =
        nghttp2_hd_inflate_hd2(inflater_.get(), &field, &flags, next, left, /*in_final=*/1);
    if (used < 0)
      return fail(Errc::kInvalid,
                  "hpack: " + std::string(nghttp2_strerror(static_cast<int>(used))));
    next += used;
    left -= static_cast<std::size_t>(used);
    if ((flags & NGHTTP2_HD_INFLATE_EMIT) != 0 && head != nullptr)
      add_field({reinterpret_cast<const char*>(field.name), field.namelen},
                {reinterpret_cast<const char*>(field.value), field.valuelen}, list_bytes, *head);
    if ((flags & NGHTTP2_HD_INFLATE_FINAL) != 0) break;
    if ((flags & NGHTTP2_HD_INFLATE_EMIT) == 0 && left == 0)
      return fail(Errc::kInvalid, "hpack: the header block is cut");
  }
  nghttp2_hd_inflate_end_headers(inflater_.get());
  return {};
}

}  // namespace aispm::codec::http2
