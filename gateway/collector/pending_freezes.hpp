// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <list>
#include <memory>
#include <mutex>
#include <utility>
#include <vector>

#include "aispm/v1/policy.pb.h"

namespace aispm::collector {

// Freezes that were just ordered and are on their way into the store: hosts get them at once, since
// a disk takes its time. Any thread.
class PendingFreezes {
 public:
  using Freeze = aispm::v1::Freeze;

  // One of them for as long as somebody holds it; this must live longer.
  std::shared_ptr<const void> hold(Freeze freeze) {
    const std::lock_guard lock(mutex_);
    const auto place = freezes_.insert(freezes_.end(), std::move(freeze));
    return {&*place, [this, place](const void*) {
              const std::lock_guard ending(mutex_);
              freezes_.erase(place);
            }};
  }

  // To be asked before the store is read, and added to what stands there: one that is stored
  // meanwhile is in both and never in neither.
  std::vector<Freeze> list() const {
    const std::lock_guard lock(mutex_);
    return {freezes_.begin(), freezes_.end()};
  }

 private:
  mutable std::mutex mutex_;
  std::list<Freeze> freezes_;
};

}  // namespace aispm::collector
