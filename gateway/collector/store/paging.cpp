// SPDX-License-Identifier: Apache-2.0
#include "gateway/collector/store/paging.hpp"

#include <charconv>

#include "sdk/core/common/id.hpp"

namespace aispm::collector::store {
namespace {

std::optional<int> digit(char c) {
  if (c >= '0' && c <= '9') return c - '0';
  if (c >= 'a' && c <= 'f') return c - 'a' + 10;
  return std::nullopt;
}

}  // namespace

std::string PageToken::encode() const {
  const std::string text = std::to_string(ref) + ":" + key;
  return to_hex({reinterpret_cast<const std::uint8_t*>(text.data()), text.size()});
}

Result<std::optional<PageToken>> PageToken::decode(std::string_view text) {
  if (text.empty()) return std::optional<PageToken>();
  const auto bad = [] {
    return fail(Errc::kInvalid, "page_token: not one that this collector gave");
  };
  if (text.size() % 2 != 0 || text.size() > 4 * limits::kMaxNameBytes + 64) return bad();
  std::string bytes;
  for (std::size_t i = 0; i < text.size(); i += 2) {
    const auto high = digit(text[i]);
    const auto low = digit(text[i + 1]);
    if (!high || !low) return bad();
    bytes += static_cast<char>(*high << 4 | *low);
  }
  PageToken token;
  const auto [end, error] = std::from_chars(bytes.data(), bytes.data() + bytes.size(), token.ref);
  if (error != std::errc() || end == bytes.data() + bytes.size() || *end != ':') return bad();
  token.key = bytes.substr(static_cast<std::size_t>(end - bytes.data()) + 1);
  return std::optional<PageToken>(std::move(token));
}

Result<std::uint32_t> page_limit(std::uint32_t page_size) {
  if (page_size > limits::kMaxPage)
    return fail(Errc::kInvalid, "page_size: allowed is 1.." + std::to_string(limits::kMaxPage) +
                                    ", or 0 for " + std::to_string(limits::kDefaultPage));
  return page_size == 0 ? limits::kDefaultPage : page_size;
}

Result<Page> Page::make(std::uint32_t page_size, std::string_view page_token,
                        std::string_view query) {
  Page page;
  AISPM_TRY(page.limit, page_limit(page_size));
  if (query.size() > limits::kMaxNameBytes)
    return fail(Errc::kInvalid, "query: longer than 256 bytes");
  page.like = "%";
  for (const char c : query) {
    if (c == '%' || c == '_' || c == '\\') page.like += '\\';
    page.like += c;
  }
  page.like += '%';
  AISPM_TRY(const auto token, PageToken::decode(page_token));
  page.is_first = !token;
  if (token) page.after = *token;
  return page;
}

}  // namespace aispm::collector::store
