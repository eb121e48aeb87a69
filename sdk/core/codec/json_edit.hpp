// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <cstddef>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "sdk/core/common/result.hpp"

// Edits JSON text in place: everything outside the patched spans keeps its bytes.
namespace aispm::codec {

// Bytes [begin, end) of a document. For a string token both quotes are included.
struct JsonSpan {
  std::size_t begin = 0;
  std::size_t end = 0;
  std::size_t size() const { return end - begin; }
  bool empty() const { return begin == end; }
  auto operator<=>(const JsonSpan&) const = default;
};

// Replaces the span by `json`, which must be valid JSON at that place; an empty span inserts.
struct JsonPatch {
  JsonSpan span;
  std::string json;
};

// A patch that puts `text` (UTF-8) in place of the string token at `span`.
JsonPatch string_patch(JsonSpan span, std::string_view text);

// The document with all patches applied. Patches may come in any order; kInvalid when spans
// overlap, end before they begin or reach beyond the document.
Result<std::string> apply_patches(std::string_view document, std::vector<JsonPatch> patches);

// `text` as a JSON string token with quotes. Bytes that are not valid UTF-8 become U+FFFD, so the
// result is always valid.
std::string json_string(std::string_view text);

// Decodes a JSON string token (with quotes). kInvalid for anything that is not exactly one token,
// for unknown escapes, control bytes and unpaired surrogates.
Result<std::string> json_unescape(std::string_view token);

// `json` with U+FFFD in place of each escape of half a surrogate pair (`\ud83d` alone), as writers
// leave them that cut texts between UTF-16 units: no two readers agree on what they mean. Nothing:
// there is none, or none before what is no JSON. Offsets stay what they were.
std::optional<std::string> mend_surrogates(std::string_view json);

// Offset of the first byte that is not valid UTF-8 (RFC 3629), or npos.
std::size_t find_invalid_utf8(std::string_view text);

}  // namespace aispm::codec
