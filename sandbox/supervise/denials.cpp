// SPDX-License-Identifier: Apache-2.0
#include "sandbox/supervise/denials.hpp"

#include <algorithm>

namespace aispm::sandbox {
namespace {
// What one attempt tries in a row folds within 2 ms; a flood is told in larger batches, which name
// more of it before the allowance is spent.
constexpr std::chrono::milliseconds kFoldFor{2};
constexpr std::chrono::milliseconds kFoldFloodFor{50};
constexpr std::chrono::seconds kEarnOneIn{1};
constexpr int kQuickBatches = 10;
constexpr int kBatchesAtOnce = 30;
}  // namespace

void Denials::add(Denial denial, std::uint64_t count, Clock::time_point now) {
  total_ += count;
  if (pending_.empty()) {
    const bool is_quick = spent_until_ - now <= (kQuickBatches - 1) * kEarnOneIn;
    due_ = std::max(now + (is_quick ? kFoldFor : kFoldFloodFor),
                    spent_until_ - (kBatchesAtOnce - 1) * kEarnOneIn);
  }
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
  if (!batch.empty()) spent_until_ = std::max(spent_until_, due_) + kEarnOneIn;
  pending_.clear();
  due_ = Clock::time_point::max();
  return batch;
}

}  // namespace aispm::sandbox
