// SPDX-License-Identifier: Apache-2.0
#include <cstdlib>

#include "sandbox/check/verdict.hpp"
#include "sandbox/model/plan.hpp"

// An agent's source, and what came out of the channel of its check: any bytes give a verdict, and a
// valid one only when both lines are there.
extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  if (size == 0) return 0;
  const std::string text(reinterpret_cast<const char*>(data) + 1, size - 1);
  const auto source = aispm::sandbox::check_source(text);
  if (!source.is_valid && source.line > text.size() + 1) std::abort();
  const auto verdict = aispm::sandbox::judge({}, text, data[0], {});
  if (!verdict) return 0;
  if (verdict->is_valid && (data[0] != 0 || text.find("imported") == std::string::npos))
    std::abort();
  for (const char c : to_text(*verdict, "a.py") + to_json(*verdict, "a.py"))
    if (static_cast<unsigned char>(c) < ' ') std::abort();
  return 0;
}
