// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <memory>
#include <vector>

#include "gateway/collector/ingest/feed.hpp"
#include "gateway/collector/ingest/links.hpp"
#include "gateway/collector/workers.hpp"
#include "sdk/core/common/time.hpp"

namespace aispm::collector {

// Sandboxed runs begin and end while freezes are in force: sensors then get their orders anew, in
// which freezes of sessions and agents are those of their runs.
class RunWatch {
 public:
  // Before anything is delivered. What it refers to must live longer. `urgent`: its workers look
  // whether there is any freeze. kExhausted: the feed has no room.
  static Result<std::unique_ptr<RunWatch>> open(Feed& feed, Workers& urgent,
                                                OrderChanges& order_changes, WallClock clock);
  RunWatch(const RunWatch&) = delete;
  RunWatch& operator=(const RunWatch&) = delete;
  // Nothing is looked at afterwards.
  ~RunWatch();

 private:
  struct State;
  explicit RunWatch(std::shared_ptr<State> state) : state_(std::move(state)) {}

  const std::shared_ptr<State> state_;  // the feed may be calling while this ends
  std::vector<std::shared_ptr<Subscription>> subscriptions_;
};

}  // namespace aispm::collector
