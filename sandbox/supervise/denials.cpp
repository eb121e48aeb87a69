// SPDX-License-Identifier: Apache-2.0
#include "sandbox/supervise/denials.hpp"

namespace aispm::sandbox {
namespace {
constexpr std::uint32_t kQuickBatches = 20;
constexpr std::chrono::milliseconds kQuickDelay{50};
constexpr std::chrono::milliseconds kSlowDelay{1000};
}  // namespace

void Denials::add(Denial denial, std::uint64_t count, Clock::time_point now) {
  total_ += count;
  if (pending_.empty()) due_ = now + (batches_ < kQuickBatches ? kQuickDelay : kSlowDelay);
  if (pending_.size() >= kMaxDistinct && !pending_.contains(denial)) denial.target = "(others)";
  pending_[std::move(denial)] += count;
}

std::vector<std::pair<Denial, std::uint64_t>> Denials::take() {
  std::vector<std::pair<Denial, std::uint64_t>> batch(pending_.begin(), pending_.end());
  pending_.clear();
  due_ = Clock::time_point::max();
  if (!batch.empty()) ++batches_;
  return batch;
}

}  // namespace aispm::sandbox
