// SPDX-License-Identifier: Apache-2.0
// Any bytes as a shell script: read within its limits or refused, and judged the same twice.
#include <cstdint>
#include <cstdlib>
#include <string_view>

#include "sdk/core/policy/command_governor.hpp"

using namespace aispm::policy;

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  static const CommandGovernor governor =
      *CommandGovernor::compile({{"a", "npm test", aispm::model::Outcome::kAllow, ""},
                                 {"b", "rm -rf *", aispm::model::Outcome::kDeny, ""},
                                 {"c", "git *", aispm::model::Outcome::kRequireApproval, ""}},
                                aispm::model::Outcome::kDeny);
  const std::string_view script(reinterpret_cast<const char*>(data), size);
  const CommandVerdict once = governor.judge(script);
  const CommandVerdict twice = governor.judge(script);
  if (once.outcome != twice.outcome || once.command != twice.command) std::abort();
  return 0;
}
