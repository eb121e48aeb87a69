// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <atomic>
#include <memory>
#include <thread>
#include <utility>

namespace aispm {

// One object that many threads read and few replace: a reader keeps what it has got for as long as
// it likes. Any thread; a load waits for a count or a swap at most, never for what an object is
// made or destroyed with. As std::atomic<std::shared_ptr>, whose reader in libstdc++ 12 lets go of
// its lock without an order to the next writer (a race where the processor does not order it).
template <typename T>
class Published {
 public:
  Published() = default;
  explicit Published(std::shared_ptr<T> first) : held_(std::move(first)) {}
  Published(const Published&) = delete;
  Published& operator=(const Published&) = delete;

  std::shared_ptr<T> load() const {
    const Hold hold(is_held_);
    return held_;
  }
  void store(std::shared_ptr<T> next) {
    const Hold hold(is_held_);
    held_.swap(next);
    // What was held is destroyed after the lock: `next` outlives `hold`.
  }

 private:
  // Held for a count or a swap. Who waits gives way, should the holder be off its processor.
  class Hold {
   public:
    explicit Hold(std::atomic_flag& flag) : flag_(flag) {
      for (unsigned tries = 0; flag_.test_and_set(std::memory_order_acquire); ++tries)
        if (tries % 64 == 63) std::this_thread::yield();
    }
    ~Hold() { flag_.clear(std::memory_order_release); }
    Hold(const Hold&) = delete;
    Hold& operator=(const Hold&) = delete;

   private:
    std::atomic_flag& flag_;
  };

  std::shared_ptr<T> held_;
  mutable std::atomic_flag is_held_;
};

}  // namespace aispm
