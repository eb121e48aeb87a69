// SPDX-License-Identifier: Apache-2.0
#include "sdk/core/detect/stream.hpp"

#include <algorithm>

#include "sdk/core/detect/stream_state.hpp"

namespace aispm::detect {

using Attempt = StreamAttempt;
using Lane = StreamLane;
using Pending = StreamPending;
using Span = StreamSpan;

namespace {

// Capacity that an empty buffer may keep.
constexpr std::size_t kKeptCapacity = 32;
// Of attempts, beyond what is needed.
constexpr std::size_t kKeptAttempts = 8;

// Attempts come and go by the dozen within a piece, and few outlive it. While one is read they
// stand in memory that all scanners of the thread share: streams are silent most of the time, and
// many.
class AttemptsAtWork {
 public:
  explicit AttemptsAtWork(Lane& lane) : lane_(lane), kept_(std::move(lane.attempts)) {
    lane_.attempts = std::move(room());
    lane_.attempts.assign(kept_.begin(), kept_.end());
  }
  ~AttemptsAtWork() {
    if (kept_.capacity() > lane_.attempts.size() + kKeptAttempts)
      std::vector<Attempt>().swap(kept_);
    kept_.assign(lane_.attempts.begin(), lane_.attempts.end());
    room() = std::move(lane_.attempts);
    lane_.attempts = std::move(kept_);
  }
  AttemptsAtWork(const AttemptsAtWork&) = delete;
  AttemptsAtWork& operator=(const AttemptsAtWork&) = delete;

 private:
  static std::vector<Attempt>& room() {
    thread_local std::vector<Attempt> room;
    return room;
  }
  Lane& lane_;
  std::vector<Attempt> kept_;
};

}  // namespace

// Takes one byte; false when the attempt is over (and resolved). Same steps as the block scan's.
bool StreamScanner::State::advance(Attempt& attempt, std::uint8_t byte, std::uint64_t end,
                                   const Lane& lane, View view) {
  const RuleAutomaton& automaton = automata.of(attempt.rule);
  const Dfa& dfa = *automaton.dfa;
  if (dfa.accepts(attempt.state) && !automaton.not_before.test(byte))
    attempt.accepted_end = lane.last_end;
  attempt.state = dfa.next(attempt.state, byte);
  if (attempt.state == Dfa::kDead) {
    if (attempt.accepted_end != 0) resolve(attempt, view);
    return false;
  }
  if (dfa.accepts(attempt.state)) {
    if (automaton.has_not_before || !dfa.is_final(attempt.state)) return true;
    attempt.accepted_end = end;
    resolve(attempt, view);
    return false;
  }
  return attempt.accepted_end != 0 || end - attempt.start < automaton.max_bytes;
}

void StreamScanner::State::spawn(Lane& lane, std::uint8_t byte, Next next, std::uint64_t begin,
                                 std::uint64_t end, View view) {
  const std::uint64_t closed = lane.has_last ? automata.closed_after(lane.last_byte) : 0;
  const SurfaceBits here = surface_bit(surface);
  for (const Automata::Starts& group : automata.starting_with(byte)) {
    if ((closed >> group.border & 1) != 0) continue;
    const bool asks_rule = group.border == Automata::kAskRule && lane.has_last;
    for (const Automata::Start& start : group.starts) {
      if ((start.surfaces & here) == 0) continue;
      if (next && start.goes_on && !automata.can_follow(start, *next)) continue;
      const model::Outcome outcome = (*outcomes)[start.rule];
      if (outcome == model::Outcome::kUnspecified) continue;
      if (asks_rule && automata.of(start.rule).not_after.test(lane.last_byte)) continue;
      Attempt attempt{begin, 0, start.rule, start.state, holds(outcome)};
      if (!start.goes_on) {
        attempt.state = Dfa::kStart;
        if (!advance(attempt, byte, end, lane, view)) continue;
      }
      if (lane.attempts.size() >= kMaxAttempts)
        return fail_closed(Errc::kExhausted, "reply takes too long to scan");
      lane.attempts.push_back(attempt);
    }
  }
}

void StreamScanner::State::step(Lane& lane, std::uint8_t byte, Next next, std::uint64_t begin,
                                std::uint64_t end, View view) {
  for (std::size_t i = 0; i < lane.attempts.size();) {
    if (advance(lane.attempts[i], byte, end, lane, view)) {
      ++i;
    } else {
      lane.attempts[i] = lane.attempts.back();
      lane.attempts.pop_back();
    }
  }
  spawn(lane, byte, next, begin, end, view);
  lane.last_byte = byte;
  lane.has_last = true;
  lane.last_end = end;
}

// The raw lane sees every byte as it comes. While all text is ASCII, it stands for the shadow lane
// too.
void StreamScanner::State::feed_raw() {
  for (std::uint64_t at = raw.last_end; at < total; ++at) {
    const auto byte = static_cast<std::uint8_t>(buffer[at - base]);
    if (byte >= 0x80 && !forked) {
      shadow = raw;
      forked = true;
      decoded = at;
    }
    if (!forked && tracks_signals) signals.ascii(byte, at, hits);
    Next next;
    if (at + 1 < total) next = static_cast<std::uint8_t>(buffer[at + 1 - base]);
    // There the shadow lane begins as a copy of this one, and reads something else.
    if (next && *next >= 0x80 && !forked) next.reset();
    step(raw, byte, next, at, at + 1, View::kRaw);
    if (failure) return;
  }
  if (!hits.empty()) take_signals();
  if (!forked) decoded = total;
}

// `complete`: a character cut off at the end will not be completed any more.
void StreamScanner::State::feed_shadow(bool complete) {
  const std::string_view text = buffer;
  while (decoded < total && !failure) {
    const std::uint64_t at = decoded;
    Decoded unit = decode_utf8(text, at - base);
    if (unit.size == 0) {
      if (!complete) return;
      unit = {kInvalidByte, 1};
    }
    const Replacement& bytes = normalise_code_point(unit.code_point);
    for (std::uint8_t i = 0; i < bytes.size; ++i)
      step(shadow, static_cast<std::uint8_t>(bytes.bytes[i]), std::nullopt, at, at + unit.size,
           View::kShadow);
    decoded = at + unit.size;
    if (!tracks_signals) continue;
    signals.step(unit.code_point, at, decoded, hits);
    if (!hits.empty()) take_signals();
  }
  // Both lanes in the same condition: one is enough again.
  if (decoded != total) return;
  const bool same = raw.attempts.empty() && shadow.attempts.empty() &&
                    raw.has_last == shadow.has_last && raw.last_byte == shadow.last_byte &&
                    raw.last_end == shadow.last_end;
  if (same) forked = false;
}

void StreamScanner::State::end_lane(Lane& lane, View view) {
  for (Attempt& attempt : lane.attempts) {
    if (engine->automata().of(attempt.rule).dfa->accepts(attempt.state))
      attempt.accepted_end = lane.last_end;
    resolve(attempt, view);
  }
  lane.attempts.clear();
}

// The first byte that may still become part of a match that must not leave.
std::uint64_t StreamScanner::State::hold_from() const {
  std::uint64_t from = decoded;
  const auto consider = [&](const Lane& lane) {
    for (const Attempt& attempt : lane.attempts)
      if (attempt.holds) from = std::min(from, attempt.start);
  };
  consider(raw);
  if (forked) consider(shadow);
  if (holds_signals) from = std::min(from, signals.open_from());
  for (const Pending& match : pending)
    if (match.holds) from = std::min(from, match.begin);
  return from;
}

// `at`, or where the character begins that it is inside of: what leaves becomes a text of its own,
// and halves of characters in two of them are none.
std::uint64_t StreamScanner::State::start_of_character(std::uint64_t at) const {
  constexpr std::uint64_t kMaxBefore = 3;
  const auto continues = [&](std::uint64_t place) {
    return (static_cast<std::uint8_t>(buffer[place - base]) & 0xc0U) == 0x80;
  };
  std::uint64_t begin = at;
  while (begin > released && begin < total && at - begin < kMaxBefore && continues(begin)) --begin;
  return begin;
}

void StreamScanner::State::release_text(std::uint64_t limit, std::string& release) {
  if (limit <= released) return;
  release += original(released, limit);
  released = limit;
}

// Releases up to `limit`, replacing spans that end there or before. A span that might still overlap
// another one stays.
void StreamScanner::State::release_until(std::uint64_t limit, std::string& release) {
  std::size_t done = 0;
  while (done < spans.size() && !denied) {
    const Span& first = spans[done];
    std::uint64_t end = first.end;
    bool deny = false;
    std::uint32_t type = first.rule;
    std::size_t next = done;
    for (; next < spans.size() && (next == done || spans[next].begin < end); ++next) {
      if (!is_data(engine->rules()[type].category) &&
          is_data(engine->rules()[spans[next].rule].category))
        type = spans[next].rule;
      end = std::max(end, spans[next].end);
      deny = deny || (*outcomes)[spans[next].rule] == model::Outcome::kDeny;
    }
    if (end > limit) {
      limit = std::min(limit, first.begin);
      break;
    }
    release_text(first.begin, release);
    if (deny) {
      denied = true;
      break;
    }
    if (redactor != nullptr)
      redactor->append(engine->rules()[type], original(first.begin, end), release);
    else
      append_redaction(engine->rules()[first.rule], release);
    ++redactions;
    released = end;
    done = next;
  }
  spans.erase(spans.begin(), spans.begin() + static_cast<std::ptrdiff_t>(done));
  if (!denied) release_text(limit, release);
}

// Drops the bytes that nobody needs any more.
void StreamScanner::State::forget() {
  std::uint64_t needed = std::min(released, decoded);
  for (const Attempt& attempt : raw.attempts) needed = std::min(needed, attempt.start);
  if (forked)
    for (const Attempt& attempt : shadow.attempts) needed = std::min(needed, attempt.start);
  if (tracks_signals) needed = std::min(needed, signals.open_from());
  for (const Pending& match : pending) needed = std::min(needed, match.begin);
  needed -= std::min<std::uint64_t>(needed, context_before);
  needed = std::max(needed, base);
  buffer.erase(0, needed - base);
  base = needed;
  if (buffer.empty() && buffer.capacity() > kKeptCapacity) buffer.shrink_to_fit();
}

// What is held must leave some day: a match that goes on and on fails closed, one that is only
// recorded is given up and counted.
void StreamScanner::State::bound_memory() {
  if (buffer.size() <= kMaxHeldBytes) return;
  if (total - released > kMaxHeldBytes)
    return fail_closed(Errc::kTooLarge, "a match in the reply is longer than " +
                                            std::to_string(kMaxHeldBytes) + " bytes");
  const auto give_up = [&](Lane& lane) {
    dropped += std::erase_if(lane.attempts, [&](const Attempt& attempt) {
      return !attempt.holds && attempt.start + kMaxHeldBytes < total;
    });
  };
  give_up(raw);
  give_up(shadow);
  forget();
}

StreamScanner::StreamScanner(std::shared_ptr<const Engine> engine, Surface surface,
                             std::shared_ptr<const Outcomes> outcomes, Redactor* redactor,
                             const Secret* hash_key)
    : state_(std::make_unique<State>(std::move(engine), surface, std::move(outcomes))) {
  state_->redactor = redactor;
  state_->hash_key = hash_key;
  if (state_->outcomes == nullptr || state_->outcomes->size() != state_->engine->rules().size()) {
    state_->fail_closed(Errc::kInternal, "outcomes and rules differ in number");
  } else {
    state_->find_signal_rules();
    state_->find_contexts();
  }
}

StreamScanner::StreamScanner(StreamScanner&&) noexcept = default;
StreamScanner& StreamScanner::operator=(StreamScanner&&) noexcept = default;
StreamScanner::~StreamScanner() = default;

Result<> StreamScanner::feed(std::string_view delta, std::string& release) {
  State& state = *state_;
  if (state.denied) return {};
  if (!state.failure) {
    state.buffer += delta;
    state.total += delta.size();
    const AttemptsAtWork at_work(state.raw);
    state.feed_raw();
    if (state.forked)
      state.feed_shadow(false);
    else
      std::vector<Attempt>().swap(state.shadow.attempts);
    if (!state.pending.empty()) state.settle_pending(false);
  }
  if (!state.failure) {
    state.release_until(state.start_of_character(state.hold_from()), release);
    state.forget();
    if (!state.denied) state.bound_memory();
  }
  if (state.failure) return fail(*state.failure);
  return {};
}

Result<> StreamScanner::finish(std::string& release) {
  State& state = *state_;
  if (state.denied) return {};
  if (!state.failure && state.forked) state.feed_shadow(true);
  if (state.failure) return fail(*state.failure);
  if (state.tracks_signals) {
    state.signals.finish(state.hits);
    state.take_signals();
  }
  state.end_lane(state.raw, View::kRaw);
  if (state.forked) state.end_lane(state.shadow, View::kShadow);
  state.settle_pending(true);
  state.release_until(state.total, release);
  state.forget();
  return {};
}

bool StreamScanner::denied() const { return state_->denied; }
const std::vector<StreamScanner::Found>& StreamScanner::found() const { return state_->found; }
std::uint64_t StreamScanner::dropped_matches() const { return state_->dropped; }
std::uint64_t StreamScanner::redactions() const { return state_->redactions; }
std::size_t StreamScanner::held_bytes() const { return state_->total - state_->released; }
std::uint64_t StreamScanner::total_bytes() const { return state_->total; }

std::size_t StreamScanner::memory_bytes() const {
  const State& state = *state_;
  return sizeof(*this) + sizeof(State) + state.buffer.capacity() + state.resolving.text.capacity() +
         state.resolving.origin.capacity() * sizeof(Shadow::Origin) +
         state.spans.capacity() * sizeof(Span) + state.pending.capacity() * sizeof(Pending) +
         (state.raw.attempts.capacity() + state.shadow.attempts.capacity()) * sizeof(Attempt) +
         state.found.capacity() * sizeof(Found);
}

}  // namespace aispm::detect
