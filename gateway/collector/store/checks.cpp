// SPDX-License-Identifier: Apache-2.0
#include "gateway/collector/store/checks.hpp"

namespace aispm::collector::store {

Result<> check_text(const std::string& text, const char* field, std::size_t limit) {
  if (text.size() > limit)
    return fail(Errc::kInvalid,
                std::string(field) + ": longer than " + std::to_string(limit) + " bytes");
  for (const char c : text)
    if (static_cast<unsigned char>(c) < ' ' || c == 0x7f)
      return fail(Errc::kInvalid, std::string(field) + ": holds a control character");
  return {};
}

}  // namespace aispm::collector::store
