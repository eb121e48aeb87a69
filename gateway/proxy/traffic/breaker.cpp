// SPDX-License-Identifier: Apache-2.0
#include "gateway/proxy/traffic/breaker.hpp"

#include <algorithm>

namespace aispm::gateway {
namespace {

constexpr std::uint64_t kCountMask = (1ULL << 20U) - 1;
constexpr std::uint64_t kEpochMask = (1ULL << 24U) - 1;

struct Slot {
  std::uint64_t epoch;
  std::uint64_t calls;
  std::uint64_t failures;
};

Slot unpack(std::uint64_t word) {
  return {word >> 40U, (word >> 20U) & kCountMask, word & kCountMask};
}

std::uint64_t pack(const Slot& slot) {
  return (slot.epoch << 40U) | (slot.calls << 20U) | slot.failures;
}

}  // namespace

std::string_view name_of(Breaker::State state) {
  switch (state) {
    case Breaker::State::kOpen:
      return "open";
    case Breaker::State::kHalfOpen:
      return "half open";
    case Breaker::State::kClosed:
      break;
  }
  return "closed";
}

Breaker::Permit::~Permit() {
  if (breaker_ != nullptr && is_trial_)
    breaker_->word_.store(kRetryWord, std::memory_order_release);
}

void Breaker::Permit::succeeded(Time now) {
  Breaker* const breaker = std::exchange(breaker_, nullptr);
  if (breaker == nullptr) return;
  if (is_trial_) return breaker->end_trial(true, now);
  breaker->note_success(now);
}

void Breaker::Permit::failed(Time now) {
  Breaker* const breaker = std::exchange(breaker_, nullptr);
  if (breaker == nullptr) return;
  if (is_trial_) return breaker->end_trial(false, now);
  breaker->note_failure(now);
}

Breaker::Breaker(const BreakerConfig& config)
    : config_(config),
      slot_milliseconds_(
          std::max<std::int64_t>(1, config.window.count() / static_cast<std::int64_t>(kSlots))) {}

// Never zero, which means closed.
std::int64_t Breaker::milliseconds(Time now) {
  return std::max<std::int64_t>(
      1, std::chrono::duration_cast<std::chrono::milliseconds>(now.time_since_epoch()).count());
}

std::optional<Breaker::Permit> Breaker::admit(Time now) {
  std::int64_t word = word_.load(std::memory_order_acquire);
  if (word == kClosedWord) return Permit(*this, false);
  if (word == kTrialWord || milliseconds(now) < word) return std::nullopt;
  if (!word_.compare_exchange_strong(word, kTrialWord, std::memory_order_acq_rel))
    return std::nullopt;  // another thread has it
  return Permit(*this, true);
}

bool Breaker::refuses(Time now) const {
  const std::int64_t word = word_.load(std::memory_order_acquire);
  return word == kTrialWord || (word != kClosedWord && milliseconds(now) < word);
}

std::chrono::milliseconds Breaker::reopens_in(Time now) const {
  const std::int64_t word = word_.load(std::memory_order_acquire);
  if (word == kClosedWord) return std::chrono::milliseconds(0);
  if (word == kTrialWord) return kTrialPatience;
  return std::chrono::milliseconds(std::max<std::int64_t>(0, word - milliseconds(now)));
}

Breaker::State Breaker::state(Time now) const {
  const std::int64_t word = word_.load(std::memory_order_acquire);
  if (word == kClosedWord) return State::kClosed;
  return word == kTrialWord || milliseconds(now) >= word ? State::kHalfOpen : State::kOpen;
}

void Breaker::note_success(Time now) {
  count(now, false);
  if (in_row_.load(std::memory_order_relaxed) != 0) in_row_.store(0, std::memory_order_relaxed);
}

void Breaker::note_failure(Time now) {
  count(now, true);
  const std::uint32_t in_row = in_row_.fetch_add(1, std::memory_order_relaxed) + 1;
  const Sums seen = sums(now);
  const bool is_share_reached =
      seen.calls >= config_.calls && seen.failures * 100 >= seen.calls * config_.percent;
  if (in_row < config_.failures && !is_share_reached) return;
  // Only a closed circuit: what was sent before it opened says nothing about its trial.
  std::int64_t closed = kClosedWord;
  if (word_.compare_exchange_strong(closed, milliseconds(now) + config_.cooldown.count(),
                                    std::memory_order_acq_rel))
    times_opened_.fetch_add(1, std::memory_order_relaxed);
}

void Breaker::count(Time now, bool is_failure) {
  const auto epoch = static_cast<std::uint64_t>(milliseconds(now) / slot_milliseconds_);
  std::atomic<std::uint64_t>& place = slots_[epoch % kSlots];
  std::uint64_t word = place.load(std::memory_order_relaxed);
  while (true) {
    Slot slot = unpack(word);
    if (slot.epoch != (epoch & kEpochMask)) slot = {epoch & kEpochMask, 0, 0};
    if (slot.calls == kCountMask) return;  // full: its shares are known well enough
    ++slot.calls;
    slot.failures += is_failure ? 1 : 0;
    if (place.compare_exchange_weak(word, pack(slot), std::memory_order_relaxed)) return;
  }
}

Breaker::Sums Breaker::sums(Time now) const {
  const auto epoch = static_cast<std::uint64_t>(milliseconds(now) / slot_milliseconds_);
  Sums all;
  for (const std::atomic<std::uint64_t>& place : slots_) {
    const Slot slot = unpack(place.load(std::memory_order_relaxed));
    if (((epoch - slot.epoch) & kEpochMask) >= kSlots) continue;
    all.calls += slot.calls;
    all.failures += slot.failures;
  }
  return all;
}

void Breaker::end_trial(bool has_succeeded, Time now) {
  if (has_succeeded) {
    for (std::atomic<std::uint64_t>& place : slots_) place.store(0, std::memory_order_relaxed);
    in_row_.store(0, std::memory_order_relaxed);
    word_.store(kClosedWord, std::memory_order_release);
    return;
  }
  times_opened_.fetch_add(1, std::memory_order_relaxed);
  word_.store(milliseconds(now) + config_.cooldown.count(), std::memory_order_release);
}

}  // namespace aispm::gateway
