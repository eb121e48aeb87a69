// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <array>
#include <atomic>
#include <bit>
#include <cstdint>

namespace aispm::gateway {

// How long calls took, for percentiles that are at most an eighth too high. Unlike LatencyHistogram
// all threads add.
class SharedLatencies {
 public:
  void add(std::uint64_t microseconds) {
    buckets_[bucket_of(microseconds)].fetch_add(1, std::memory_order_relaxed);
  }

  // The microseconds that `share` (0..1) of the calls did not exceed, rounded up to its bucket; 0
  // before the first.
  std::uint64_t percentile(double share) const {
    std::uint64_t total = 0;
    for (const auto& bucket : buckets_) total += bucket.load(std::memory_order_relaxed);
    if (total == 0) return 0;
    const auto wanted = static_cast<std::uint64_t>(static_cast<double>(total) * share);
    std::uint64_t seen = 0;
    for (std::size_t i = 0; i < buckets_.size(); ++i) {
      seen += buckets_[i].load(std::memory_order_relaxed);
      if (seen > wanted || seen == total) return upper_end(i);
    }
    return upper_end(buckets_.size() - 1);
  }

 private:
  // Eight buckets for each power of two; the last takes all beyond 2^40 us, twelve days.
  static constexpr std::size_t kParts = 8;
  static constexpr std::size_t kBuckets = 38 * kParts;

  static std::size_t bucket_of(std::uint64_t value) {
    if (value < kParts) return value;
    const auto power = static_cast<std::size_t>(std::bit_width(value)) - 1;  // at least 3
    const std::size_t part = (value >> (power - 3)) & (kParts - 1);
    const std::size_t bucket = (power - 2) * kParts + part;
    return bucket < kBuckets ? bucket : kBuckets - 1;
  }
  static std::uint64_t upper_end(std::size_t bucket) {
    if (bucket < kParts) return bucket;
    const std::size_t power = bucket / kParts + 2;
    const std::uint64_t part = bucket % kParts;
    return ((kParts + part + 1) << (power - 3)) - 1;
  }

  std::array<std::atomic<std::uint64_t>, kBuckets> buckets_{};
};

// What came of the requests that one candidate of a route served, to be compared with the others'.
// Any thread.
struct ArmFigures {
  std::atomic<std::uint64_t> calls{0};
  std::atomic<std::uint64_t> errors{0};  // no reply, one of status 400 and more, or a broken one
  std::atomic<std::uint64_t> input_tokens{0};
  std::atomic<std::uint64_t> output_tokens{0};
  std::atomic<std::uint64_t> flagged{0};  // replies in which detection found something
  std::atomic<std::uint64_t> denied{0};   // and that were withheld for it
  SharedLatencies latency;                // whole calls
  SharedLatencies first_byte;             // until the reply's head
};

}  // namespace aispm::gateway
