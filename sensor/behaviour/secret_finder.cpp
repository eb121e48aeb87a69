// SPDX-License-Identifier: Apache-2.0
#include "sensor/behaviour/secret_finder.hpp"

#include <algorithm>
#include <utility>

#include "sdk/core/common/keyed_hash.hpp"
#include "sensor/behaviour/secret_engine.hpp"

namespace aispm::sensor {
namespace {

constexpr std::size_t kMaxPlaceBytes = 128;  // name of a variable
// Rules for what tools are called with apply to arguments and variables too.
constexpr detect::Surface kSurface = detect::Surface::kToolArguments;

}  // namespace

Result<SecretFinder> SecretFinder::open(Secret host_key) {
  AISPM_TRY(auto engine, make_secret_engine());
  AISPM_TRY(detect::Scratch scratch, engine->make_scratch());
  return SecretFinder(std::move(engine), std::move(scratch), std::move(host_key));
}

bool SecretFinder::scan(std::string_view text) {
  if (engine_->scan(text, kSurface, scratch_, matches_)) return true;
  ++not_judged_;
  return false;
}

model::Detection SecretFinder::describe(const detect::Match& match, std::string_view text,
                                        std::string_view surface, std::string_view place) const {
  const detect::Rule& rule = engine_->rules()[match.rule];
  model::Detection detection;
  detection.rule_id = rule.id;
  detection.category = detect::name_of(rule.category);
  detection.severity = rule.severity;
  detection.confidence = rule.confidence;
  detection.surface = surface;
  detection.length = match.length;
  detection.evidence = std::string(place.substr(0, kMaxPlaceBytes)) + ": keyed hash " +
                       keyed_hash(host_key_, text.substr(match.offset, match.length));
  detection.message = rule.message;
  return detection;
}

std::vector<model::Detection> SecretFinder::redact(std::vector<std::string>& arguments) {
  // As one text: a rule may need the argument before ("--password", "x"), and one pass is cheap.
  joined_.clear();
  for (const std::string& argument : arguments) joined_.append(argument).push_back(' ');
  if (!scan(joined_)) {
    std::fill(arguments.begin(), arguments.end(), std::string(kPlaceholder));
    return {};
  }
  if (matches_.empty()) return {};
  std::vector<model::Detection> found;
  std::size_t end = joined_.size();
  for (std::size_t i = arguments.size(); i-- > 0;) {
    std::string& argument = arguments[i];
    const std::size_t begin = end - 1 - argument.size();
    std::size_t redacted_from = argument.size();
    // From the end, so that earlier offsets stay right; overlapping ones are one.
    for (auto match = matches_.rbegin(); match != matches_.rend(); ++match) {
      const std::size_t from = std::max<std::size_t>(match->offset, begin);
      const std::size_t to = std::min<std::size_t>(match->offset + match->length, end - 1);
      if (from >= to) continue;
      if (found.size() < kMaxDetections && match->offset >= begin)
        found.push_back(describe(*match, joined_, "argv", "argument " + std::to_string(i)));
      const std::size_t stop = std::min(to - begin, redacted_from);
      if (from - begin >= stop) continue;
      argument.replace(from - begin, stop - (from - begin), kPlaceholder);
      redacted_from = from - begin;
    }
    end = begin;
  }
  return found;
}

std::vector<model::Detection> SecretFinder::find(std::string_view environment) {
  std::vector<model::Detection> found;
  std::set<std::string> seen;
  environment = environment.substr(0, kMaxEnvironmentBytes);
  while (!environment.empty()) {
    const std::size_t size = std::min(environment.find('\0'), environment.size());
    const std::string_view variable = environment.substr(0, size);
    environment.remove_prefix(std::min(size + 1, environment.size()));
    if (!scan(variable)) continue;
    for (const detect::Match& match : matches_) {
      if (found.size() >= kMaxDetections) return found;
      model::Detection detection =
          describe(match, variable, "environment", variable.substr(0, variable.find('=')));
      if (seen.insert(detection.rule_id + detection.evidence).second)
        found.push_back(std::move(detection));
    }
  }
  return found;
}

}  // namespace aispm::sensor
