// SPDX-License-Identifier: Apache-2.0
#include <algorithm>

#include "sdk/core/common/keyed_hash.hpp"
#include "sdk/core/detect/context.hpp"
#include "sdk/core/detect/stream_state.hpp"

namespace aispm::detect {

using Attempt = StreamAttempt;
using Pending = StreamPending;
using Span = StreamSpan;

// Adds a match to the record; joins it with those of the same rule that it overlaps.
void StreamScanner::State::record(std::uint32_t rule, std::uint64_t begin, std::uint64_t end,
                                  bool validated) {
  Found* home = nullptr;
  for (std::size_t i = 0; i < found.size();) {
    Match& known = found[i].match;
    const std::uint64_t known_end = known.offset + known.length;
    if (known.rule != rule || known.offset >= end || begin >= known_end) {
      ++i;
      continue;
    }
    begin = std::min(begin, known.offset);
    end = std::max(end, known_end);
    validated = validated || known.validated;
    if (home != nullptr) {
      found.erase(found.begin() + static_cast<std::ptrdiff_t>(i));
    } else {
      home = &found[i];
      ++i;
    }
    home->match = {rule, begin, end - begin, validated, false};
  }
  if (home != nullptr) {
    // Of a match whose begin has left, the hash stays that of what it was.
    if (begin >= base) home->value_hash = hash_of(rule, begin, end);
    return;
  }
  if (found.size() >= kMaxRecorded) {
    ++dropped;
    return;
  }
  found.push_back({{rule, begin, end - begin, validated, false},
                   mask(original(begin, end), engine->rules()[rule].mask),
                   hash_of(rule, begin, end)});
}

std::string StreamScanner::State::hash_of(std::uint32_t rule, std::uint64_t begin,
                                          std::uint64_t end) const {
  if (hash_key == nullptr || engine->rules()[rule].category != Category::kSecret) return {};
  return keyed_hash(*hash_key, original(begin, end));
}

void StreamScanner::State::resolve(const Attempt& attempt, View view) {
  if (attempt.accepted_end == 0) return;
  const auto span =
      engine->automata().resolve(engine->rules()[attempt.rule], attempt.rule,
                                 original(attempt.start, attempt.accepted_end), view, resolving);
  if (!span) return;
  const std::uint64_t begin = attempt.start + span->begin;
  const std::uint64_t end = attempt.start + span->end;
  const Pending match{begin, end, attempt.rule, span->validated, attempt.holds};
  if (!engine->rules()[attempt.rule].context.empty()) {
    pending.push_back(match);
    return;
  }
  record(attempt.rule, begin, end, span->validated);
  if (attempt.holds) hide(begin, end, attempt.rule);
}

void StreamScanner::State::settle(const Pending& match) {
  const Context& context = engine->rules()[match.rule].context;
  const std::uint64_t from = match.begin - std::min<std::uint64_t>(match.begin, context.within);
  const std::uint64_t to = std::min<std::uint64_t>(match.end + context.within, total);
  const bool near = is_near(context, original(from, match.begin), original(match.begin, match.end),
                            original(match.end, to));
  if (!near && context.required) return;
  record(match.rule, match.begin, match.end, match.validated || near);
  if (match.holds) hide(match.begin, match.end, match.rule);
}

// Those whose surroundings have come; with `complete` all, since no more will come.
void StreamScanner::State::settle_pending(bool complete) {
  std::size_t kept = 0;
  for (std::size_t i = 0; i < pending.size(); ++i) {
    const Pending match = pending[i];
    if (complete || match.end + engine->rules()[match.rule].context.within <= total)
      settle(match);
    else
      pending[kept++] = match;
  }
  pending.resize(kept);
}

void StreamScanner::State::find_contexts() {
  for (std::size_t i = 0; i < outcomes->size(); ++i) {
    const Rule& rule = engine->rules()[i];
    if ((*outcomes)[i] != model::Outcome::kUnspecified && rule.applies_to(surface) &&
        !rule.context.empty())
      context_before = std::max(context_before, rule.context.within);
  }
}

void StreamScanner::State::hide(std::uint64_t begin, std::uint64_t end, std::uint32_t rule) {
  const Span hidden{begin, end, rule};
  spans.insert(std::upper_bound(spans.begin(), spans.end(), hidden), hidden);
}

void StreamScanner::State::find_signal_rules() {
  for (std::size_t i = 0; i < kSignalCount; ++i) {
    for (const std::uint32_t rule : engine->rules_of(static_cast<Signal>(i))) {
      const model::Outcome outcome = (*outcomes)[rule];
      if (outcome == model::Outcome::kUnspecified || !engine->rules()[rule].applies_to(surface))
        continue;
      tracks_signals = true;
      holds_signals = holds_signals || holds(outcome);
    }
  }
}

void StreamScanner::State::take_signals() {
  for (const SignalHit& hit : hits) {
    for (const std::uint32_t rule : engine->rules_of(hit.signal)) {
      const model::Outcome outcome = (*outcomes)[rule];
      if (outcome == model::Outcome::kUnspecified || !engine->rules()[rule].applies_to(surface))
        continue;
      record(rule, hit.begin, hit.end, false);
      if (holds(outcome)) hide(hit.begin, hit.end, rule);
    }
  }
  hits.clear();
}

}  // namespace aispm::detect
