// SPDX-License-Identifier: Apache-2.0
#include "gateway/collector/ingest/run_watch.hpp"

#include <mutex>

#include "gateway/collector/store/frozen_runs.hpp"
#include "sdk/core/common/log.hpp"

namespace aispm::collector {
namespace {

// On a worker.
Result<> tell_sensors(Desk& desk, OrderChanges& order_changes, WallTime now) {
  AISPM_TRY(const bool has_freezes, store::has_freezes(desk.database, now));
  if (!has_freezes) return {};
  AISPM_CHECK(store::raise_order_version(desk.database));
  order_changes.announce();
  return {};
}

}  // namespace

struct RunWatch::State {
  Workers& urgent;
  OrderChanges& order_changes;
  const WallClock clock;
  std::mutex mutex;
  bool is_over = false;

  // On the writer's thread.
  void look() {
    const std::lock_guard lock(mutex);
    if (is_over) return;
    const auto posted = urgent.post([&order_changes = order_changes, now = clock()](Desk& desk) {
      if (const auto told = tell_sensors(desk, order_changes, now); !told)
        log::warn("freeze.runs_unknown", {{"reason", told.error().message}});
    });
    if (!posted) log::warn("freeze.runs_unknown", {{"reason", posted.error().message}});
  }
};

Result<std::unique_ptr<RunWatch>> RunWatch::open(Feed& feed, Workers& urgent,
                                                 OrderChanges& order_changes, WallClock clock) {
  std::unique_ptr<RunWatch> watch(
      new RunWatch(std::shared_ptr<State>(new State{urgent, order_changes, std::move(clock), {}})));
  for (const auto kind : {pb::Event::kSandboxStart, pb::Event::kSandboxExit}) {
    const auto own = std::make_shared<std::weak_ptr<Subscription>>();
    AISPM_TRY(auto subscription,
              feed.subscribe({.kind = static_cast<int>(kind), .agent_id = {}, .session_id = {}},
                             [state = watch->state_, own] {
                               // That there was one is all that counts: the store says what runs.
                               const auto held = own->lock();
                               while (held && held->take()) {
                               }
                               state->look();
                             }));
    *own = subscription;
    watch->subscriptions_.push_back(std::move(subscription));
  }
  return watch;
}

RunWatch::~RunWatch() {
  const std::lock_guard lock(state_->mutex);
  state_->is_over = true;
}

}  // namespace aispm::collector
