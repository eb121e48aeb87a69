// SPDX-License-Identifier: Apache-2.0
// `before|match|after`, any bytes: the verdict does not depend on case, nor on anything that stands
// behind the borders of the match's own sentence, where an attacker could put telling words.
#include <algorithm>
#include <cstdint>
#include <cstdio>
#include <cstdlib>
#include <string>
#include <string_view>

#include "sdk/core/detect/mention.hpp"

namespace {

using aispm::detect::is_mention;

void require(bool claim, const char* what) {
  if (claim) return;
  std::fprintf(stderr, "%s\n", what);
  std::abort();
}

// Up to the next `|`, which is taken away with it.
std::string_view cut(std::string_view& text) {
  const std::size_t end = std::min(text.find('|'), text.size());
  const std::string_view part = text.substr(0, end);
  text.remove_prefix(std::min(end + 1, text.size()));
  return part;
}

std::string upper(std::string_view text) {
  std::string out(text);
  for (char& c : out)
    if (c >= 'a' && c <= 'z') c = static_cast<char>(c - 32);
  return out;
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  std::string_view text(reinterpret_cast<const char*>(data), size);
  const std::string before(cut(text));
  const std::string match(cut(text));
  const std::string after(text);
  const bool is_one = is_mention(before, match, after);
  require(is_mention(upper(before), upper(match), upper(after)) == is_one, "case changes it");
  for (const std::string_view telling :
       {"phrases such as \"", "it never", "content that attempts to", "e.g. `"})
    require(is_mention(std::string(telling) + "!" + before, match, after) ==
                is_mention("!" + before, match, after),
            "an earlier sentence changes it");
  for (const std::string_view telling :
       {"\" technique", "attacks", " found within these tags", " that attempt to redirect you"})
    require(is_mention(before, match, after + "." + std::string(telling)) ==
                is_mention(before, match, after + "."),
            "a later sentence changes it");
  return 0;
}
