// SPDX-License-Identifier: Apache-2.0
// Any text as a policy file: a policy or an error that says something; a policy answers.
#include <cstdint>
#include <cstdlib>
#include <string>

#include "sdk/core/policy/policy.hpp"

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  using namespace aispm::policy;
  const std::string content(reinterpret_cast<const char*>(data), size);
  const auto policy = Policy::parse(content, "fuzz.yaml");
  if (!policy) {
    if (policy.error().message.rfind("fuzz.yaml:", 0) != 0) std::abort();
    return 0;
  }
  const Context context{"alice/agent.py", "openai", "gpt-4o"};
  const Fact fact{"secret.a", "secret", aispm::model::Severity::kHigh, 0.9, "prompt"};
  for (const Direction direction : {Direction::kRequest, Direction::kReply}) {
    const Verdict verdict = (*policy)->judge(context, direction, fact);
    const bool applies =
        verdict.mode == Mode::kEnforce || verdict.applied == aispm::model::Outcome::kAllow;
    if (!applies) std::abort();
  }
  (void)(*policy)->authorise(context);
  return 0;
}
