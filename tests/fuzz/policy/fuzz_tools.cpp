// SPDX-License-Identifier: Apache-2.0
// Any bytes as tools.yaml, pins.yaml and an action, parted by NUL bytes: a gate or an error with
// file and line; judged the same twice, and never allowed when nobody is registered.
#include <cstdint>
#include <cstdlib>
#include <string>
#include <string_view>

#include "sdk/core/policy/bundle_judge.hpp"

using namespace aispm;
using namespace aispm::policy;

namespace {

std::string_view part(std::string_view& rest) {
  const std::size_t border = rest.find('\0');
  const std::string_view first = rest.substr(0, border);
  rest.remove_prefix(border == std::string_view::npos ? rest.size() : border + 1);
  return first;
}

void require(bool holds) {
  if (!holds) std::abort();
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  std::string_view rest(reinterpret_cast<const char*>(data), size);
  const std::string tools(part(rest));
  const std::string pins(part(rest));
  const std::string_view action = part(rest);
  const auto asked = ActionJson::parse(action);
  const auto gate = ToolGate::parse(tools, pins);
  if (!gate) {
    require(gate.error().message.find(".yaml:") != std::string::npos);
    return 0;
  }
  const auto bundle = Bundle::compile({{"pins.yaml", pins}, {"tools.yaml", tools}});
  require(bool(bundle));
  if (!asked) return 0;
  const ToolVerdict once = gate->judge(asked->action(), asked->state());
  const ToolVerdict twice = gate->judge(asked->action(), asked->state());
  require(once.outcome == twice.outcome && once.rule_id == twice.rule_id);
  const Tool* tool = gate->registry().find(asked->action().tool, asked->action().tool_provider);
  if (tool == nullptr && gate->requires_registration())
    require(once.outcome == model::Outcome::kDeny);
  if (tool != nullptr && tool->is_blocked) require(once.outcome == model::Outcome::kDeny);
  const BundleDecision decision =
      judge_by_bundle(**bundle, std::move(*ActionJson::parse(action)), {1});
  require(decision.outcome == once.outcome || once.rule_id.empty());
  ToolUsage usage;
  for (std::uint64_t i = 1; i < 4; ++i)
    usage.count(gate->limits(), {"t", "a", "s", asked->action().tool}, i == 2, {i});
  return 0;
}
