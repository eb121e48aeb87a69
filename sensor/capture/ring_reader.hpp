// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <chrono>
#include <cstddef>
#include <functional>
#include <span>

#include "sdk/core/common/c_ptr.hpp"
#include "sdk/core/common/result.hpp"
#include "sensor/capture/shared_maps.hpp"

struct ring_buffer;
extern "C" void ring_buffer__free(ring_buffer* ring);

namespace aispm::sensor {

// Reads both rings. While records keep coming it looks every few milliseconds and their writers
// wake nobody; when there was nothing for a while it asks for a wake-up and sleeps. Lives on the
// pipeline thread.
class RingReader {
 public:
  // Bytes are valid during the call only.
  using OnRecord = std::function<void(std::span<const std::byte>)>;

  static Result<RingReader> open(SharedMaps& maps);

  // Waits until records may be there, `wake` was called or `longest` is over.
  Result<> wait(std::chrono::milliseconds longest);
  // Hands over everything waiting in `ring`, at most about `limit_records`. Returns how many.
  Result<std::size_t> drain(Ring ring, std::size_t limit_records, const OnRecord& on_record);
  // wait() also ends when this can be read; it must be read before the next.
  Result<> watch(int fd);
  // Ends a wait() of another thread. Async-signal-safe.
  void wake() const;

 private:
  struct Drain {
    const OnRecord* on_record = nullptr;
    std::size_t left = 0;
    std::size_t count = 0;
  };
  static int take(void* context, void* data, std::size_t size);

  RingReader() = default;
  Result<> pause(std::chrono::milliseconds longest);
  Result<> sleep(std::chrono::milliseconds longest);

  SharedMaps* maps_ = nullptr;
  std::unique_ptr<Drain> drain_;  // its address is known to libbpf
  CPtr<ring_buffer, ring_buffer__free> control_;
  CPtr<ring_buffer, ring_buffer__free> data_;
  UniqueFd wake_;
  UniqueFd epoll_;
  int idle_rounds_ = 0;
};

}  // namespace aispm::sensor
