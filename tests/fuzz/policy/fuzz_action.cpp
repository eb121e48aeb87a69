// SPDX-License-Identifier: Apache-2.0
// Any bytes as a policy over actions and as a tool's arguments, parted by a NUL byte.
#include <cstdint>
#include <cstdlib>
#include <string>
#include <string_view>

#include "sdk/core/policy/action_policy.hpp"

using namespace aispm::policy;

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  const std::string_view input(reinterpret_cast<const char*>(data), size);
  const std::size_t border = input.find('\0');
  const std::string_view json = border == std::string_view::npos ? "{}" : input.substr(border + 1);
  const auto arguments = Arguments::parse(json);
  const auto policy = ActionPolicy::parse(std::string(input.substr(0, border)), "fuzz");
  if (!policy) return 0;
  Action action;
  action.tool = "db.query";
  action.environment = "prod";
  action.text = json;
  if (arguments) action.arguments = &*arguments;
  const ActionDecision once = (*policy)->decide(action, {1});
  const ActionDecision twice = (*policy)->decide(action, {1});
  if (once.outcome != twice.outcome || once.rule_id != twice.rule_id) std::abort();
  return 0;
}
