// SPDX-License-Identifier: Apache-2.0
#include "sdk/core/detect/recorded_detections.hpp"

#include <map>
#include <set>
#include <utility>

#include "sdk/core/detect/bundle_rules.hpp"
#include "sdk/core/detect/engine.hpp"

namespace aispm::detect {
namespace {

using policy::DetectSaid;
using Place = std::pair<Category, Surface>;

// Of one detection, where its words are known here.
std::optional<Place> place_of(const v1::Detection& detection) {
  const auto category = parse_category(detection.category());
  const auto surface = parse_surface(detection.surface());
  if (!category || !surface) return std::nullopt;
  return Place{*category, *surface};
}

v1::Detection detection_of(const Rule& rule, Surface surface) {
  v1::Detection detection;
  detection.set_rule_id(rule.id);
  detection.set_category(std::string(name_of(rule.category)));
  detection.set_severity(static_cast<v1::Severity>(rule.severity_on(surface)));
  detection.set_confidence(rule.confidence_on(surface));
  detection.set_surface(std::string(name_of(surface)));
  return detection;
}

class Recorded {
 public:
  explicit Recorded(BundleThresholds thresholds) : thresholds_(std::move(thresholds)) {}

  DetectSaid judge(const v1::Event& event) const;

 private:
  // Weak matches of one category and surface are a detection when they are enough together.
  void sort(const v1::Event& event, DetectSaid& said) const {
    std::map<Place, std::vector<const v1::Detection*>> weak;
    for (const v1::Detection& detection : event.detections()) {
      // Found when the event was scrubbed; nothing was decided by it.
      if (detection.surface() == "event") continue;
      const auto place = place_of(detection);
      const auto alone = place ? thresholds_.alone(detection.rule_id(), place->first, place->second)
                               : std::nullopt;
      if (alone && detection.confidence() < *alone)
        weak[*place].push_back(&detection);
      else
        said.kept.push_back(detection);
    }
    const auto usual = default_thresholds();
    for (const auto& [place, matches] : weak) {
      double none = 1;
      for (const v1::Detection* match : matches) none *= 1 - match->confidence();
      const double enough = thresholds_.together(place.first, place.second)
                                .value_or(usual[static_cast<std::size_t>(place.first)]
                                               [static_cast<std::size_t>(place.second)]);
      for (const v1::Detection* match : matches)
        if (1 - none >= enough)
          said.kept.push_back(*match);
        else
          said.lost.push_back(match->rule_id());
    }
    if (thresholds_.may_find_weaker())
      said.unknown = "matches that were too weak to be detections were not recorded";
  }

  void scan(const std::string& text, Surface surface, DetectSaid& said) const {
    auto scratch = thresholds_.rules()->make_scratch();
    std::vector<Match> matches;
    if (!scratch || !thresholds_.rules()->scan(text, surface, *scratch, matches)) {
      said.unknown = "a kept text could not be scanned";
      return;
    }
    std::set<std::uint32_t> rules;
    for (const Match& match : matches) rules.insert(match.rule);
    for (const std::uint32_t index : rules) {
      const Rule& rule = thresholds_.rules()->rules()[index];
      if (!rule.is_weak_on(surface)) said.found.push_back(detection_of(rule, surface));
    }
  }

  const BundleThresholds thresholds_;
};

DetectSaid Recorded::judge(const v1::Event& event) const {
  DetectSaid said;
  sort(event, said);
  if (!thresholds_.rules()) return said;
  const v1::LlmCall& call = event.llm_call();
  if (call.prompt_text().empty() && call.reply_text().empty())
    said.unknown = "its own rules need texts, and none were kept (store_text)";
  // Which message a kept prompt's words stood in is not recorded: all of it counts as the user's.
  if (!call.prompt_text().empty()) scan(call.prompt_text(), Surface::kPrompt, said);
  if (!call.reply_text().empty()) scan(call.reply_text(), Surface::kReply, said);
  return said;
}

}  // namespace

Result<policy::JudgeDetections> judge_recorded_by(const policy::DetectPart& part) {
  AISPM_TRY(auto thresholds, BundleThresholds::parse(part.text, part.path));
  return policy::JudgeDetections(
      [recorded = std::make_shared<const Recorded>(std::move(thresholds))](const v1::Event& event) {
        return recorded->judge(event);
      });
}

}  // namespace aispm::detect
