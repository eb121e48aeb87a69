// SPDX-License-Identifier: Apache-2.0
#include "sdk/core/detect/normalise.hpp"

#include <unicode/uchar.h>
#include <unicode/unorm2.h>

#include <bit>
#include <cstring>
#include <unordered_map>

#include "sdk/core/detect/confusables.hpp"

namespace aispm::detect {
namespace {

constexpr std::uint32_t kPageSize = 256;
constexpr std::uint32_t kCodePoints = 0x110000;
// Beyond these, everything is kOther (CJK planes, private use) or dropped (tags and variation
// selectors in plane 14).
constexpr std::uint32_t kMappedEnd = 0x20000;
constexpr std::uint32_t kTagsBegin = 0xe0000;
constexpr std::uint32_t kTagsEnd = 0xe1000;

const Replacement kReplaceOther{1, {kOther}};
const Replacement kDropped{};

// Ideographs and Hangul syllables have no ASCII form: not worth a table entry.
bool is_plain_other(std::uint32_t code_point) {
  return (code_point >= 0x3400 && code_point < 0xa000) ||
         (code_point >= 0xac00 && code_point < 0xf900);
}

void append(Replacement& out, char byte) {
  // A long expansion of characters without ASCII form (U+FDFA) says nothing more than one of them.
  const bool repeated = byte == kOther && out.size > 0 && out.bytes[out.size - 1] == kOther;
  if (out.size < out.bytes.size() && !repeated) out.bytes[out.size++] = byte;
}

class Table {
 public:
  Table() : pages_(kMappedEnd / kPageSize) {
    for (const Confusable& pair : kConfusables) lookalikes_.emplace(pair.code_point, pair.ascii);
    UErrorCode status = U_ZERO_ERROR;
    nfkd_ = unorm2_getNFKDInstance(&status);
    for (std::uint32_t page = 0; page < pages_.size(); ++page) {
      if (is_plain_other(page * kPageSize) && is_plain_other(page * kPageSize + kPageSize - 1))
        continue;
      pages_[page].resize(kPageSize);
      for (std::uint32_t i = 0; i < kPageSize; ++i) pages_[page][i] = make(page * kPageSize + i);
    }
    for (std::uint32_t i = 0; i < tags_.size(); ++i)
      if (i >= 0x20 && i < 0x7f) append(tags_[i], static_cast<char>(i));
  }

  const Replacement& find(std::uint32_t code_point) const {
    if (code_point < kMappedEnd) {
      const auto& page = pages_[code_point / kPageSize];
      return page.empty() ? kReplaceOther : page[code_point % kPageSize];
    }
    if (code_point < kTagsBegin || code_point >= kTagsEnd) return kReplaceOther;
    return code_point < kTagsBegin + tags_.size() ? tags_[code_point - kTagsBegin] : kDropped;
  }

 private:
  Replacement make(std::uint32_t code_point) const {
    Replacement out;
    if (code_point < 0x80) {
      append(out, static_cast<char>(code_point));
      return out;
    }
    UErrorCode status = U_ZERO_ERROR;
    UChar units[64];
    int32_t count = -1;
    if (nfkd_ != nullptr)
      count = unorm2_getDecomposition(nfkd_, static_cast<UChar32>(code_point), units, 64, &status);
    if (count < 0 || U_FAILURE(status)) {
      append_simple(static_cast<UChar32>(code_point), out);
      return out;
    }
    for (int32_t i = 0; i < count;) {
      UChar32 part = 0;
      U16_NEXT(units, i, count, part);
      append_simple(part, out);
    }
    return out;
  }

  void append_simple(UChar32 code_point, Replacement& out) const {
    if (code_point < 0x80) return append(out, static_cast<char>(code_point));
    if (const auto found = lookalikes_.find(static_cast<std::uint32_t>(code_point));
        found != lookalikes_.end())
      return append(out, found->second);
    const auto type = u_charType(code_point);
    const bool is_mark = type == U_NON_SPACING_MARK || type == U_ENCLOSING_MARK;
    if (is_mark || type == U_FORMAT_CHAR ||
        u_hasBinaryProperty(code_point, UCHAR_DEFAULT_IGNORABLE_CODE_POINT) != 0)
      return;
    if (type == U_LINE_SEPARATOR || type == U_PARAGRAPH_SEPARATOR || code_point == 0x85)
      return append(out, '\n');
    append(out, u_isUWhiteSpace(code_point) != 0 ? ' ' : kOther);
  }

  const UNormalizer2* nfkd_ = nullptr;  // owned by ICU
  std::unordered_map<std::uint32_t, char> lookalikes_;
  std::vector<std::vector<Replacement>> pages_;
  std::array<Replacement, 0x80> tags_{};
};

const Table& table() {
  static const Table instance;
  return instance;
}

bool is_continuation(char byte) { return (static_cast<std::uint8_t>(byte) & 0xc0) == 0x80; }

}  // namespace

const Replacement& normalise_code_point(std::uint32_t code_point) {
  if (code_point >= kCodePoints) return kReplaceOther;
  return table().find(code_point);
}

Decoded decode_utf8(std::string_view text, std::size_t at) {
  const auto lead = static_cast<std::uint8_t>(text[at]);
  if (lead < 0x80) return {lead, 1};
  if (lead < 0xc2 || lead > 0xf4) return {kInvalidByte, 1};
  const std::uint8_t size = lead < 0xe0 ? 2 : lead < 0xf0 ? 3 : 4;
  std::uint32_t code_point = lead & (0x7fU >> size);
  for (std::uint8_t i = 1; i < size; ++i) {
    if (at + i >= text.size()) return {0, 0};
    if (!is_continuation(text[at + i])) return {kInvalidByte, 1};
    code_point = (code_point << 6) | (static_cast<std::uint8_t>(text[at + i]) & 0x3fU);
  }
  constexpr std::uint32_t kSmallest[] = {0, 0, 0x80, 0x800, 0x10000};
  const bool surrogate = code_point >= 0xd800 && code_point < 0xe000;
  if (code_point < kSmallest[size] || code_point >= kCodePoints || surrogate)
    return {kInvalidByte, 1};
  return {code_point, size};
}

void normalise(std::string_view text, Shadow& shadow) {
  shadow.clear();
  const Table& map = table();
  for (std::size_t at = 0; at < text.size();) {
    const auto byte = static_cast<std::uint8_t>(text[at]);
    if (byte < 0x80) {
      shadow.text.push_back(static_cast<char>(byte));
      shadow.origin.push_back({static_cast<std::uint32_t>(at), static_cast<std::uint32_t>(at + 1)});
      ++at;
      continue;
    }
    Decoded decoded = decode_utf8(text, at);
    if (decoded.size == 0) decoded = {kInvalidByte, 1};
    const Replacement& out =
        decoded.code_point == kInvalidByte ? kReplaceOther : map.find(decoded.code_point);
    const Shadow::Origin origin{static_cast<std::uint32_t>(at),
                                static_cast<std::uint32_t>(at + decoded.size)};
    for (std::uint8_t i = 0; i < out.size; ++i) {
      shadow.text.push_back(out.bytes[i]);
      shadow.origin.push_back(origin);
    }
    at += decoded.size;
  }
}

bool is_ascii(std::string_view text) {
  std::size_t at = 0;
  std::uint64_t seen = 0;
  for (; at + 8 <= text.size(); at += 8) {
    std::uint64_t word = 0;
    std::memcpy(&word, text.data() + at, 8);
    seen |= word;
  }
  for (; at < text.size(); ++at) seen |= static_cast<std::uint64_t>(text[at]) & 0x80U;
  return (seen & 0x8080808080808080U) == 0;
}

}  // namespace aispm::detect
