// SPDX-License-Identifier: Apache-2.0
#include "sdk/core/detect/automata.hpp"

#include <algorithm>
#include <functional>

#include "sdk/core/detect/compile_jobs.hpp"
#include "sdk/core/detect/validate.hpp"

namespace aispm::detect {
namespace {

// Ends tried when the longest match does not validate.
constexpr std::size_t kMaxShorterEnds = 32;

// Bytes at the start of `text` that are context; 0 when `keep` does not match or would leave
// nothing.
std::size_t kept_bytes(const RuleAutomaton& automaton, std::string_view text) {
  if (!automaton.keep) return 0;
  std::size_t kept = 0;
  Dfa::State state = Dfa::kStart;
  for (std::size_t i = 0; i < text.size(); ++i) {
    state = automaton.keep->next(state, static_cast<std::uint8_t>(text[i]));
    if (state == Dfa::kDead) break;
    if (automaton.keep->accepts(state)) kept = i + 1;
  }
  return kept == text.size() ? 0 : kept;
}

// Whether the rule leaves just this text alone.
bool is_allowed(const RuleAutomaton& automaton, std::string_view text) {
  if (!automaton.allow) return false;
  Dfa::State state = Dfa::kStart;
  for (const char c : text) {
    state = automaton.allow->next(state, static_cast<std::uint8_t>(c));
    if (state == Dfa::kDead) return false;
  }
  return automaton.allow->accepts(state);
}

// Accepted ends shorter than the whole of `text`, longest first.
std::size_t shorter_ends(const RuleAutomaton& automaton, std::string_view text,
                         std::array<std::size_t, kMaxShorterEnds>& ends) {
  std::size_t count = 0;
  Dfa::State state = Dfa::kStart;
  for (std::size_t i = 0; i < text.size(); ++i) {
    state = automaton.dfa->next(state, static_cast<std::uint8_t>(text[i]));
    if (state == Dfa::kDead) break;
    const bool bounded =
        i + 1 < text.size() && !automaton.not_before.test(static_cast<std::uint8_t>(text[i + 1]));
    if (bounded && automaton.dfa->accepts(state)) ends[count++ % ends.size()] = i + 1;
  }
  const std::size_t kept = std::min(count, ends.size());
  std::sort(ends.begin(), ends.begin() + static_cast<std::ptrdiff_t>(kept), std::greater<>());
  return kept;
}

}  // namespace

std::vector<DfaSource> Automata::sources(const std::vector<Rule>& rules) {
  std::vector<DfaSource> sources;
  for (std::uint32_t index = 0; index < rules.size(); ++index) {
    const Rule& rule = rules[index];
    if (rule.patterns.empty()) continue;  // a signal
    sources.push_back({index, rule.patterns, rule.caseless});
    if (!rule.keep.empty()) sources.push_back({index, {rule.keep}, rule.caseless});
    if (!rule.allow.empty()) sources.push_back({index, rule.allow, rule.caseless});
  }
  return sources;
}

Result<Automata> Automata::make(const std::vector<Rule>& rules,
                                std::vector<std::shared_ptr<const Dfa>> compiled) {
  Automata all;
  auto next = compiled.begin();
  for (std::size_t index = 0; index < rules.size(); ++index) {
    const Rule& rule = rules[index];
    RuleAutomaton& automaton = all.automata_.emplace_back();
    if (rule.patterns.empty()) continue;
    automaton.dfa = std::move(*next++);
    if (!rule.keep.empty()) automaton.keep = std::move(*next++);
    if (!rule.allow.empty()) automaton.allow = std::move(*next++);
    if (!rule.not_after.empty()) {
      AISPM_TRY(automaton.not_after, parse_class(rule.not_after));
    }
    if (!rule.not_before.empty()) {
      AISPM_TRY(automaton.not_before, parse_class(rule.not_before));
      automaton.has_not_before = true;
    }
    automaton.max_bytes = rule.max_bytes;
    if (rule.reads != Reads::kLetters) all.note_starts(rule, index);
  }
  return all;
}

void Automata::note_starts(const Rule& rule, std::size_t index) {
  // A character of the normalised form stands for up to four bytes.
  constexpr std::uint64_t kMaxUnitBytes = 4;
  const RuleAutomaton& automaton = automata_[index];
  Start start;
  start.rule = static_cast<std::uint16_t>(index);
  start.surfaces = rule.surfaces;
  const std::uint8_t border = border_of(automaton.not_after);
  for (std::size_t byte = 0; byte < starts_.size(); ++byte) {
    if (!automaton.dfa->first_bytes().test(byte)) continue;
    start.state = automaton.dfa->next(Dfa::kStart, static_cast<std::uint8_t>(byte));
    start.goes_on = start.state != Dfa::kDead && !automaton.dfa->accepts(start.state) &&
                    automaton.max_bytes > kMaxUnitBytes;
    start.second = second_of(*automaton.dfa, start.state);
    auto group = std::find_if(starts_[byte].begin(), starts_[byte].end(),
                              [&](const Starts& one) { return one.border == border; });
    if (group == starts_[byte].end()) group = starts_[byte].insert(group, {border, {}});
    group->starts.push_back(start);
  }
}

// Many starts share a set: there are some hundred.
std::uint16_t Automata::second_of(const Dfa& dfa, Dfa::State state) {
  ByteSet bytes;
  for (std::size_t byte = 0; byte < bytes.size(); ++byte)
    bytes.set(byte, dfa.next(state, static_cast<std::uint8_t>(byte)) != Dfa::kDead);
  const auto known = std::find(seconds_.begin(), seconds_.end(), bytes);
  const auto index = static_cast<std::uint16_t>(known - seconds_.begin());
  if (known == seconds_.end()) seconds_.push_back(bytes);
  return index;
}

std::uint8_t Automata::border_of(const ByteSet& not_after) {
  const auto known = std::find(borders_.begin(), borders_.end(), not_after);
  if (known != borders_.end()) return static_cast<std::uint8_t>(known - borders_.begin());
  if (borders_.size() >= kAskRule) return kAskRule;
  const auto border = static_cast<std::uint8_t>(borders_.size());
  borders_.push_back(not_after);
  for (std::size_t byte = 0; byte < closed_.size(); ++byte)
    if (not_after.test(byte)) closed_[byte] |= std::uint64_t{1} << border;
  return border;
}

std::optional<Automata::Span> Automata::resolve_view(const Rule& rule, std::uint32_t index,
                                                     std::string_view text) const {
  const RuleAutomaton& automaton = automata_[index];
  const std::size_t begin = kept_bytes(automaton, text);
  std::size_t end = text.size();
  Validation validation = validate(rule.validators, text.substr(begin));
  if (validation == Validation::kFailed && retries_shorter(rule.validators)) {
    std::array<std::size_t, kMaxShorterEnds> ends{};
    const std::size_t count = shorter_ends(automaton, text, ends);
    for (std::size_t i = 0; i < count && validation == Validation::kFailed; ++i) {
      if (ends[i] <= begin) break;
      end = ends[i];
      validation = validate(rule.validators, text.substr(begin, end - begin));
    }
  }
  if (validation == Validation::kFailed) return std::nullopt;
  if (is_allowed(automaton, text.substr(begin, end - begin))) return std::nullopt;
  return Span{begin, end, validation == Validation::kPassed};
}

std::optional<Automata::Span> Automata::resolve(const Rule& rule, std::uint32_t index,
                                                std::string_view original, View view,
                                                Shadow& shadow) const {
  const RuleAutomaton& automaton = automata_[index];
  if (!automaton.keep && !automaton.allow && rule.validators.empty())
    return Span{0, original.size(), false};
  if (view == View::kRaw) return resolve_view(rule, index, original);
  normalise(original, shadow);
  auto span = resolve_view(rule, index, shadow.text);
  if (!span) return span;
  const std::size_t last = span->end - 1;
  span->begin = shadow.origin[span->begin].begin;
  span->end = shadow.origin[last].end;
  return span;
}

std::size_t Automata::memory_bytes() const {
  std::size_t bytes = sizeof(*this);
  for (const RuleAutomaton& automaton : automata_) {
    if (automaton.dfa) bytes += automaton.dfa->memory_bytes();
    if (automaton.keep) bytes += automaton.keep->memory_bytes();
    if (automaton.allow) bytes += automaton.allow->memory_bytes();
  }
  return bytes;
}

}  // namespace aispm::detect
