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
  if (pending_.size() >= kMaxDistinct && !pending_.contains(denial)) {
    denial.target = "(others)";
    denial.error = 0;
    denial.name.clear();
    denial.reason.clear();
  }
  Folded& folded = pending_[std::move(denial)];
  if (folded.count == 0) folded.first = now;
  folded.count += count;
  folded.last = now;
}

std::vector<FoldedDenial> Denials::take() {
  std::vector<FoldedDenial> batch;
  batch.reserve(pending_.size());
  for (auto& [denial, folded] : pending_)
    batch.push_back({denial, folded.count, folded.first, folded.last});
  pending_.clear();
  due_ = Clock::time_point::max();
  if (!batch.empty()) ++batches_;
  return batch;
}

}  // namespace aispm::sandbox
