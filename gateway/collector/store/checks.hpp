// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <string>

#include "gateway/collector/limits.hpp"
#include "sdk/core/common/result.hpp"

// What is asked of texts that operators send, whatever they are for.
namespace aispm::collector::store {

// kInvalid: longer than `limit` bytes, or holds a control character. `field` names it in the error.
Result<> check_text(const std::string& text, const char* field,
                    std::size_t limit = limits::kMaxNameBytes);

// kInvalid: more than `max` entries, or one that is empty or no text.
template <typename List>
Result<> check_list(const List& list, const char* field, std::size_t max) {
  if (static_cast<std::size_t>(list.size()) > max)
    return fail(Errc::kInvalid,
                std::string(field) + ": at most " + std::to_string(max) + " are allowed");
  for (const std::string& item : list) {
    if (item.empty()) return fail(Errc::kInvalid, std::string(field) + ": an entry is empty");
    AISPM_CHECK(check_text(item, field));
  }
  return {};
}

}  // namespace aispm::collector::store
