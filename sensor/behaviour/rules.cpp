// SPDX-License-Identifier: Apache-2.0
#include "sensor/behaviour/rules.hpp"

#include <fnmatch.h>

#include <algorithm>
#include <utility>

namespace aispm::sensor {
namespace {

bool fits(const std::vector<std::string>& globs, const std::string& path) {
  // Without FNM_PATHNAME `*` also matches a slash, which is what `~/.ssh/*` means here.
  return std::any_of(globs.begin(), globs.end(), [&](const std::string& glob) {
    return ::fnmatch(glob.c_str(), path.c_str(), 0) == 0;
  });
}

}  // namespace

const FileRule* BehaviourRules::find_file(std::string_view path, bool writes,
                                          std::uint64_t size_bytes) const {
  const std::string text(path);
  for (const FileRule& rule : files)
    if (rule.on_write == writes && size_bytes >= rule.min_bytes && fits(rule.paths, text) &&
        !fits(rule.except, text))
      return &rule;
  return nullptr;
}

bool ConnectionRate::add(std::string_view agent, BootTime time) {
  auto found = agents_.find(agent);
  if (found == agents_.end()) {
    // The table holds agents, of which a host has few; one that makes them up loses its history.
    if (agents_.size() >= kMaxAgents) agents_.erase(agents_.begin());
    found = agents_.emplace(agent, Recent{}).first;
  }
  Recent& recent = found->second;
  if (recent.told && !recent.times.empty() && time.nanoseconds > recent.times.back() + window_)
    recent.told = false;
  while (!recent.times.empty() && recent.times.front() + window_ < time.nanoseconds)
    recent.times.pop_front();
  recent.times.push_back(time.nanoseconds);
  if (recent.times.size() <= limit_) return false;
  recent.times.pop_front();
  return !std::exchange(recent.told, true);
}

model::Detection behaviour_detection(std::string rule, model::Severity severity,
                                     std::string evidence, std::string message) {
  model::Detection detection;
  detection.rule_id = "behaviour." + std::move(rule);
  detection.category = "behaviour";
  detection.severity = severity;
  detection.confidence = 1;
  detection.surface = "behaviour";
  detection.evidence = std::move(evidence);
  detection.message = std::move(message);
  return detection;
}

}  // namespace aispm::sensor
