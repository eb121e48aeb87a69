// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <unordered_map>
#include <vector>

#include "sdk/core/policy/risk.hpp"
#include "sdk/core/policy/tool_egress.hpp"
#include "sdk/core/policy/tool_registry.hpp"
#include "sdk/core/policy/tool_usage.hpp"

// Whether a tool may be called at all, before rules over actions are asked: tools.yaml and
// pins.yaml of a bundle (docs/policy-language.md).
namespace aispm::policy {

class RegistryPart;

// What is known of a call beside the action itself. Views must outlive the decision only.
struct ToolState {
  double posture = 0;  // fused risk, 0..1
  RiskSignals signals = {};
  std::span<const std::string> scopes = {};  // that the registry grants
  std::string_view intent = {};              // what the user asked for; empty: not known
  const ToolSight* sight = nullptr;          // null: the tool's definition was not seen
};

struct PlanStep {
  std::string_view tool;
  std::string_view scope;  // empty: none is needed
  double posture_below = 2;
};

// What becomes of a definition that no pin names.
enum class FirstUse : std::uint8_t {
  kTrust,  // the first one seen is as good as pinned: whoever sees definitions keeps ToolSightings
  kApprove,  // denied until somebody has approved it
  kIgnore,   // any will do
  kNoFile,   // there is no tools.yaml to say so: what the collector's registry has is judged alone
};

// Immutable; any thread.
class ToolGate {
 public:
  static constexpr std::size_t kMaxBytes = 1U << 20;
  static constexpr std::size_t kMaxRoles = 256;
  static constexpr std::size_t kMaxIntents = 256;
  static constexpr std::size_t kMaxChannels = 64;
  static constexpr std::size_t kMaxLockdowns = 64;

  // Contents of tools.yaml and pins.yaml; an empty one counts as not there. Errors read `file:line:
  // what is wrong`.
  static Result<ToolGate> parse(const std::string& tools, const std::string& pins,
                                const RegistryPart* registry = nullptr);
  // Of a bundle without these files: blocks and pins of the collector's registry alone. A tool that
  // is not in it is not asked about.
  static ToolGate of_registry(const RegistryPart& registry);

  // The first objection of: registration, block, provenance and pins, roles, lockdowns, intent,
  // scope, risk, destination. kAllow with an empty rule says only that there is none. Does not
  // allocate.
  ToolVerdict judge(const Action& action, const ToolState& state) const;

  // The same without who asks and with what: is this definition the one that was approved? For
  // tools that are offered to a model.
  ToolVerdict judge_sight(std::string_view tool, std::string_view provider,
                          const ToolSight& sight) const;

  // What an intent needs; empty: nothing is known of it.
  std::vector<PlanStep> plan(std::string_view intent) const;

  const ToolRegistry& registry() const { return registry_; }
  const UsageLimits& limits() const { return limits_; }
  FirstUse first_use() const { return first_use_; }
  // False: only the collector's registry is in it. Then no objection is no permission, and its
  // limits() are nobody's.
  bool has_file() const { return first_use_ != FirstUse::kNoFile; }
  bool requires_registration() const { return requires_registration_; }

 private:
  struct Lockdown {
    RiskSignals signals;
    std::optional<double> posture_at;
    std::vector<Glob> allow;
    std::string reason;
  };
  struct Role {
    std::string name;
    std::vector<Glob> tools;
  };
  struct Intent {
    std::string name;
    std::vector<std::string> tools;
  };
  static Lockdown read_lockdown(const YamlMap& map);
  void read_rest(const YamlMap& root);
  void add_builtin();
  ToolVerdict judge_definition(const Tool* tool, const ToolSight* sight) const;
  ToolVerdict judge_caller(const Action& action, const ToolState& state) const;
  ToolVerdict judge_destination(const Tool& tool, const Action& action) const;

  ToolRegistry registry_;
  bool requires_registration_ = true;
  FirstUse first_use_ = FirstUse::kTrust;
  std::vector<Lockdown> lockdowns_;
  std::vector<Role> roles_;
  std::vector<Intent> intents_;
  std::unordered_map<std::string, EgressChannel> channels_;
  UsageLimits limits_;
};

}  // namespace aispm::policy
