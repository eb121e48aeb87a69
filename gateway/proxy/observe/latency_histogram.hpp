// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <array>
#include <atomic>
#include <bit>
#include <cstddef>
#include <cstdint>

namespace aispm::gateway {

// The buckets of a latency histogram: exact below 32 microseconds, from there on 32 to each power
// of two, so that no value is told wrong by more than a 32nd of itself. The last one takes all that
// is longer than 2^32 microseconds (71 minutes).
struct LatencyBuckets {
  static constexpr unsigned kSubBits = 5;
  static constexpr std::size_t kPerOctave = std::size_t{1} << kSubBits;
  static constexpr unsigned kMaxBits = 32;
  static constexpr std::size_t kCount = (kMaxBits - kSubBits + 1) * kPerOctave;
  // The most that a quantile may be above the value that it stands for.
  static constexpr double kMaxRelativeError = 1.0 / static_cast<double>(kPerOctave);

  static constexpr std::size_t index_of(std::uint64_t microseconds) {
    if (microseconds < kPerOctave) return static_cast<std::size_t>(microseconds);
    const auto bits = static_cast<unsigned>(std::bit_width(microseconds));
    if (bits > kMaxBits) return kCount - 1;
    const unsigned shift = bits - kSubBits - 1;
    return (shift + 1) * kPerOctave +
           static_cast<std::size_t>((microseconds >> shift) - kPerOctave);
  }
  // The largest value that falls into it, in microseconds.
  static constexpr std::uint64_t last_of(std::size_t index) {
    if (index < kPerOctave) return index;
    const auto shift = static_cast<unsigned>(index / kPerOctave - 1);
    return ((index % kPerOctave + kPerOctave + 1) << shift) - 1;
  }
};

// Latencies added up for reading: of several threads, or over a time.
struct LatencyTotals {
  std::array<std::uint64_t, LatencyBuckets::kCount> counts{};
  std::uint64_t count = 0;
  std::uint64_t sum_us = 0;

  // The smallest bucket's end that at least `share` (0 to 1) of all values do not exceed; 0 where
  // there are none.
  std::uint64_t quantile_us(double share) const {
    if (count == 0) return 0;
    auto wanted = static_cast<std::uint64_t>(share * static_cast<double>(count) + 0.999'999);
    wanted = wanted < 1 ? 1 : wanted > count ? count : wanted;
    std::uint64_t seen = 0;
    for (std::size_t i = 0; i < counts.size(); ++i) {
      seen += counts[i];
      if (seen >= wanted) return LatencyBuckets::last_of(i);
    }
    return LatencyBuckets::last_of(counts.size() - 1);
  }
  // How many were shorter than 2^`bits` microseconds: exact.
  std::uint64_t below_power(unsigned bits) const {
    std::uint64_t seen = 0;
    for (std::size_t i = 0; i < counts.size() && LatencyBuckets::last_of(i) < (1ULL << bits); ++i)
      seen += counts[i];
    return seen;
  }
  // How many were not longer; exact where that is the last of a bucket.
  std::uint64_t at_most(std::uint64_t microseconds) const {
    std::uint64_t seen = 0;
    for (std::size_t i = 0; i < counts.size() && LatencyBuckets::last_of(i) <= microseconds; ++i)
      seen += counts[i];
    return seen;
  }
  // Takes away what was there before; `before` must be an earlier state of the same.
  LatencyTotals since(const LatencyTotals& before) const {
    LatencyTotals rest;
    for (std::size_t i = 0; i < counts.size(); ++i) rest.counts[i] = counts[i] - before.counts[i];
    rest.count = count - before.count;
    rest.sum_us = sum_us - before.sum_us;
    return rest;
  }
};

// Latencies of one thread. Only that thread adds, without lock or allocation; any thread reads.
class LatencyHistogram {
 public:
  void add(std::uint64_t microseconds) {
    bump(counts_[LatencyBuckets::index_of(microseconds)], 1);
    bump(sum_us_, microseconds);
  }
  // The count of what was read is the sum of its buckets, so quantiles always fit to it.
  void read_into(LatencyTotals& totals) const {
    for (std::size_t i = 0; i < counts_.size(); ++i) {
      const std::uint64_t count = counts_[i].load(std::memory_order_relaxed);
      totals.counts[i] += count;
      totals.count += count;
    }
    totals.sum_us += sum_us_.load(std::memory_order_relaxed);
  }

 private:
  static void bump(std::atomic<std::uint64_t>& value, std::uint64_t by) {
    value.store(value.load(std::memory_order_relaxed) + by, std::memory_order_relaxed);
  }
  std::array<std::atomic<std::uint64_t>, LatencyBuckets::kCount> counts_{};
  std::atomic<std::uint64_t> sum_us_{0};
};

// The same for values of many threads, any of which adds.
class SharedLatencyHistogram {
 public:
  void add(std::uint64_t microseconds) {
    counts_[LatencyBuckets::index_of(microseconds)].fetch_add(1, std::memory_order_relaxed);
    sum_us_.fetch_add(microseconds, std::memory_order_relaxed);
  }
  void read_into(LatencyTotals& totals) const {
    for (std::size_t i = 0; i < counts_.size(); ++i) {
      const std::uint64_t count = counts_[i].load(std::memory_order_relaxed);
      totals.counts[i] += count;
      totals.count += count;
    }
    totals.sum_us += sum_us_.load(std::memory_order_relaxed);
  }

 private:
  std::array<std::atomic<std::uint64_t>, LatencyBuckets::kCount> counts_{};
  std::atomic<std::uint64_t> sum_us_{0};
};

}  // namespace aispm::gateway
