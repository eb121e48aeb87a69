// SPDX-License-Identifier: Apache-2.0
#include "sdk/core/detect/block_scan.hpp"

#include <algorithm>
#include <tuple>

namespace aispm::detect {
namespace {

struct Firing {
  const std::vector<Rule>* rules;
  Surface surface;
  Fired* fired;
};

// More places than this are not worth keeping: their rules are tried everywhere.
constexpr std::size_t kMaxPieces = 8192;
constexpr std::uint8_t kNear = 1;
constexpr std::uint8_t kAnywhere = 2;

int on_match(unsigned id, unsigned long long, unsigned long long to, unsigned, void* context) {
  auto& firing = *static_cast<Firing*>(context);
  const std::vector<Rule>& rules = *firing.rules;
  Fired& fired = *firing.fired;
  if (is_turned(id)) {
    (id == kRot13Id ? fired.rot13 : fired.reversed) = true;
    return 0;
  }
  const std::uint32_t rule = rule_of(id);
  if (fired.has_fired[rule] == kAnywhere || !rules[rule].applies_to(firing.surface)) return 0;
  if (fired.has_fired[rule] == 0) fired.rules.push_back(rule);
  const bool keeps = is_piece(id) && fired.pieces.size() < kMaxPieces;
  fired.has_fired[rule] = keeps ? kNear : kAnywhere;
  if (keeps) fired.pieces.push_back(std::uint64_t{rule} << 32U | to);
  return 0;
}

}  // namespace

bool BlockScan::prefilter(std::string_view text, hs_scratch_t* scratch, Fired& fired) const {
  fired.rules.clear();
  fired.pieces.clear();
  fired.rot13 = fired.reversed = false;
  Firing firing{&rules_, surface_, &fired};
  hs_error_t status = HS_SUCCESS;
  for (const HsDatabase& database : databases_) {
    status = scan_block(database.get(), text, scratch, on_match, &firing);
    if (status != HS_SUCCESS) break;
  }
  std::erase_if(fired.pieces, [&](std::uint64_t piece) {
    return fired.has_fired[static_cast<std::size_t>(piece >> 32U)] == kAnywhere;
  });
  std::sort(fired.pieces.begin(), fired.pieces.end());
  for (const std::uint32_t rule : fired.rules) fired.has_fired[rule] = 0;
  return status == HS_SUCCESS;
}

std::span<const std::uint64_t> BlockScan::pieces_of(const Fired& fired, std::uint32_t rule) {
  const auto begin =
      std::lower_bound(fired.pieces.begin(), fired.pieces.end(), std::uint64_t{rule} << 32U);
  const auto end = std::lower_bound(begin, fired.pieces.end(), std::uint64_t{rule + 1} << 32U);
  return {begin, end};
}

// attempt() goes on after a byte only while what stands up to it is shorter than max_bytes, or is a
// match: so up to the last byte but one of the piece it is shorter.
std::size_t BlockScan::earliest_start(std::uint32_t rule, std::size_t end,
                                      const std::vector<Shadow::Origin>* origin) const {
  const std::uint64_t limit = automata_.of(rule).max_bytes;
  if (end < 2) return 0;
  if (origin == nullptr) return end - 1 > limit ? end - 1 - static_cast<std::size_t>(limit) : 0;
  const std::uint64_t last = (*origin)[end - 2].end;
  const std::uint64_t floor = last > limit ? last - limit : 0;
  const auto first =
      std::partition_point(origin->begin(), origin->begin() + static_cast<std::ptrdiff_t>(end),
                           [&](const Shadow::Origin& one) { return one.begin < floor; });
  return static_cast<std::size_t>(first - origin->begin());
}

// The end of the longest match that starts at `at`; 0 = none. Same steps as StreamScanner's.
std::size_t BlockScan::attempt(const RuleAutomaton& automaton, std::string_view text,
                               std::size_t at, const std::vector<Shadow::Origin>* origin) {
  const std::uint64_t begin = origin != nullptr ? (*origin)[at].begin : at;
  Dfa::State state = Dfa::kStart;
  std::size_t accepted = 0;
  std::size_t i = at;
  for (; i < text.size(); ++i) {
    const auto byte = static_cast<std::uint8_t>(text[i]);
    if (automaton.dfa->accepts(state) && !automaton.not_before.test(byte)) accepted = i;
    state = automaton.dfa->next(state, byte);
    if (state == Dfa::kDead) break;
    if (automaton.dfa->accepts(state)) {
      if (!automaton.has_not_before && automaton.dfa->is_final(state)) {
        accepted = i + 1;
        break;
      }
    } else if (accepted == 0) {
      const std::uint64_t end = origin != nullptr ? (*origin)[i].end : i + 1;
      if (end - begin >= automaton.max_bytes) break;
    }
  }
  if (i == text.size() && automaton.dfa->accepts(state)) accepted = i;
  work_left_ -= std::min(work_left_, i - at + 1);
  return accepted;
}

bool BlockScan::resolve(std::uint32_t index, std::string_view text, std::string_view base,
                        std::size_t at, std::size_t end, const std::vector<Shadow::Origin>* origin,
                        Shadow& resolving, ViewMatch& match) {
  const std::size_t from = origin != nullptr ? (*origin)[at].begin : at;
  const std::size_t to = origin != nullptr ? (*origin)[end - 1].end : end;
  work_left_ -= std::min(work_left_, to - from);
  const auto span = origin == nullptr
                        ? automata_.resolve(rules_[index], index, text.substr(at, end - at),
                                            View::kRaw, resolving)
                        : automata_.resolve(rules_[index], index, base.substr(from, to - from),
                                            View::kShadow, resolving);
  if (!span) return false;
  match = {from + span->begin, from + span->end, span->validated};
  return true;
}

void join_matches(std::vector<Match>& matches) {
  if (matches.size() < 2) return;
  std::sort(matches.begin(), matches.end(), [](const Match& a, const Match& b) {
    return std::tie(a.rule, a.offset) < std::tie(b.rule, b.offset);
  });
  std::size_t kept = 0;
  for (std::size_t i = 1; i < matches.size(); ++i) {
    Match& last = matches[kept];
    const Match& match = matches[i];
    if (match.rule != last.rule || match.offset >= last.offset + last.length) {
      matches[++kept] = match;
      continue;
    }
    last.length = std::max(last.offset + last.length, match.offset + match.length) - last.offset;
    last.validated = last.validated || match.validated;
    last.encoded = last.encoded && match.encoded;
    if (match.trick == Trick::kNone) last.trick = Trick::kNone;
  }
  matches.resize(kept + 1);
  std::sort(matches.begin(), matches.end(), [](const Match& a, const Match& b) {
    return std::tie(a.offset, a.rule) < std::tie(b.offset, b.rule);
  });
}

}  // namespace aispm::detect
