// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "sdk/core/common/result.hpp"
#include "sdk/core/detect/rule.hpp"
#include "sdk/core/policy/glob.hpp"

// `detect.yaml` of a policy bundle: what it changes about detection for those whom it is for.
//
//   thresholds:               # later entries count before earlier ones
//     - {category: pii, surfaces: [reply], alone: 0.8}
//     - {rule: 'jailbreak.*', alone: 0.4}
//     - {category: jailbreak, surfaces: [tool_result], together: 0.5}
//   packs: [...]              # rules beside the shipped ones, each as a file of them (pack.hpp)
//
// `alone`: a match of a rule that is at least so sure is a detection by itself, instead of
// kStandsAlone; one that is less sure counts only together with others of its category.
// `together`: how much of these makes a detection, as `thresholds` of a pack.
namespace aispm::detect {

inline constexpr std::size_t kMaxBundleRulesBytes = 256U << 10;
inline constexpr std::size_t kMaxBundlePacks = 16;
inline constexpr std::size_t kMaxBundleRules = 256;
inline constexpr std::size_t kMaxBundleThresholds = 256;

// Reads it for itself: grammar, limits, patterns, and its rules' examples by compiling them. Errors
// read `name:line: ...`. kTooLarge: more bytes than that.
Result<> check_bundle_rules(const std::string& content, const std::string& name);

// Adds it to rules that are there; their version changes with it. Also kInvalid: a rule's id that
// they have already, a threshold for rules of which there is none. On an error `rules` is of no use
// any more.
Result<> add_bundle_rules(const std::string& content, const std::string& name, RuleSet& rules);

class Engine;

// What a detect.yaml says of matches that others found: for records, where the rules that found
// them are not at hand. Immutable; any thread.
class BundleThresholds {
 public:
  // Errors as check_bundle_rules().
  static Result<BundleThresholds> parse(const std::string& content, const std::string& name);

  // Where it says nothing: nullopt, what a rule or its pack says.
  std::optional<double> alone(std::string_view rule_id, Category category, Surface surface) const;
  std::optional<double> together(Category category, Surface surface) const;
  // Some match that was too weak to be a detection might be one.
  bool may_find_weaker() const { return may_find_weaker_; }
  // Its own rules, apart from all others; null: it has none.
  const std::shared_ptr<const Engine>& rules() const { return rules_; }

 private:
  struct Entry {
    std::optional<Category> category;
    policy::Glob rule;
    SurfaceBits surfaces = kAllSurfaces;
    std::optional<double> alone;
    std::optional<double> together;
  };
  std::vector<Entry> entries_;
  bool may_find_weaker_ = false;
  std::shared_ptr<const Engine> rules_;
};

}  // namespace aispm::detect
