// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <memory>
#include <mutex>

namespace aispm::collector {

// How others reach a gRPC reactor that deletes itself in OnDone: `reactor` is null once it is gone.
// The reactor's own state is guarded by the same mutex.
template <typename Reactor>
struct ReactorLink {
  explicit ReactorLink(Reactor* of) : reactor(of) {}

  std::mutex mutex;
  Reactor* reactor;

  // Calls `work(reactor)` unless it is gone. Any thread.
  template <typename Work>
  void reach(Work work) {
    const std::lock_guard lock(mutex);
    if (reactor != nullptr) work(*reactor);
  }
  void cut() {
    const std::lock_guard lock(mutex);
    reactor = nullptr;
  }
};

}  // namespace aispm::collector
