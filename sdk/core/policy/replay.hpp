// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <compare>
#include <map>
#include <memory>
#include <set>
#include <string>
#include <vector>

#include "aispm/v1/simulate.pb.h"
#include "sdk/core/common/time.hpp"
#include "sdk/core/policy/bundle.hpp"
#include "sdk/core/policy/detect_said.hpp"
#include "sdk/core/policy/glob.hpp"
#include "sdk/core/policy/policy.hpp"
#include "sdk/core/policy/recorded_action.hpp"

// Judges recorded decisions by another policy: what would have been decided, and what flips.
// Deterministic; knows nothing of what runs, so nothing that runs is touched.
namespace aispm::policy {

// From harmless to harsh, in the order in which outcomes outrank each other; those of an approval
// count as require_approval.
int harshness(model::Outcome outcome);
// As in events, where the two enums count alike.
model::Outcome outcome_of(v1::Decision::Outcome outcome);
v1::Decision::Outcome outcome_of(model::Outcome outcome);

// What a candidate says of one recorded action.
struct ReplayVerdict {
  model::Outcome outcome = model::Outcome::kUnspecified;  // unspecified: see `obstacle`
  std::string rule_id;
  std::string reason;
  std::string obstacle;  // why it cannot be said
};
// The strictest of all parts of the bundle that have a say. What is not known of the arguments is
// not guessed: unless every answer they could have given is the same, there is none.
ReplayVerdict judge_recorded(const Bundle& bundle, const RecordedAction& recorded, WallTime now);

// What was applied then: a decision that was only monitored let the action pass.
model::Outcome applied_outcome(const v1::Decision& decision);

struct ReplayOptions {
  Glob agent;                   // only events of these
  WallTime now;                 // for what expires
  JudgeDetections detect = {};  // by the candidate's detect.yaml; empty: it has none
};

class Replay {
 public:
  static constexpr std::size_t kMaxGroups = 10'000;   // kept while it runs
  static constexpr std::size_t kMaxFlips = 500;       // listed
  static constexpr int kMaxExamples = 5;              // of each
  static constexpr std::size_t kMaxWaited = 200'000;  // that are told apart

  // Either may be null: then those events are left alone. With options.detect exchanges are judged
  // also without `texts`, as far as that can be told.
  Replay(std::shared_ptr<const Bundle> candidate, std::shared_ptr<const Policy> texts,
         ReplayOptions options);

  // In any order; what is no recorded decision is passed over.
  void add(const v1::Event& event);
  v1::Simulation report() const;

 private:
  struct Key {
    model::Outcome before;
    model::Outcome after;
    std::string kind;
    std::string rule_id;
    std::string agent;
    std::string tool;
    auto operator<=>(const Key&) const = default;
  };
  // An action that waits is recorded when it begins to and when it is settled: true for the second.
  bool is_known(const v1::Event& event);
  void add_action(const v1::Event& event);
  void take_facts(const AgentRegistry& agents, RecordedAction& recorded) const;
  void add_call(const v1::Event& event);
  void add_detections(const v1::Event& event);
  void count(const v1::Event& event, const std::string& kind, const std::string& tool,
             const ReplayVerdict& after);
  void cannot(const std::string& why) { ++not_judged_[why]; }
  void note_time(const v1::Event& event);

  std::shared_ptr<const Bundle> candidate_;
  std::shared_ptr<const Policy> texts_;
  ReplayOptions options_;
  v1::Simulation counts_;
  std::map<std::string, std::uint64_t> not_judged_;
  std::map<std::pair<model::Outcome, model::Outcome>, std::uint64_t> changes_;
  std::map<Key, v1::Simulation::Flip> flips_;
  struct Waited {
    std::uint32_t begun = 0;
    std::uint32_t settled = 0;
  };
  std::map<std::string, Waited> waited_;  // by trace and digest
};

}  // namespace aispm::policy
