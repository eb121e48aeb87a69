// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <gtest/gtest.h>

#include "sdk/core/policy/replay.hpp"

// Recorded actions and candidates to judge them by.
namespace aispm::policy {

inline constexpr WallTime kNow{1'780'000'000'000'000'000};

inline std::shared_ptr<const Bundle> bundle_of(const std::vector<FolderFile>& files) {
  auto bundle = Bundle::compile(files);
  if (!bundle) ADD_FAILURE() << bundle.error().message;
  return bundle ? *bundle : nullptr;
}
inline std::shared_ptr<const Bundle> rules(const std::string& actions) {
  return bundle_of({{"actions.yaml", actions}});
}

inline v1::Event action(const std::string& tool, const std::string& arguments,
                        v1::Decision::Outcome outcome = v1::Decision::OUTCOME_ALLOW,
                        const std::string& agent = "alice/bot") {
  static int number = 0;
  v1::Event event;
  event.set_id("event-" + std::to_string(++number));
  event.set_agent_id(agent);
  event.set_source(v1::SOURCE_GATEWAY);
  event.mutable_time()->set_seconds(1'780'000'000 + number);
  event.mutable_action_call()->set_tool(tool);
  event.mutable_action_call()->set_surface("reply");
  event.mutable_action_call()->set_arguments_text(arguments);
  event.mutable_decision()->set_outcome(outcome);
  event.mutable_decision()->set_mode("enforce");
  event.mutable_decision()->set_rule_id("old");
  return event;
}

inline v1::Simulation replay(const std::shared_ptr<const Bundle>& candidate,
                             const std::vector<v1::Event>& events, const std::string& agent = "*") {
  Replay replay(candidate, nullptr, {Glob(agent), kNow});
  for (const v1::Event& event : events) replay.add(event);
  return replay.report();
}

}  // namespace aispm::policy
