// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <cstdint>
#include <functional>
#include <map>
#include <memory>

#include "sdk/core/common/result.hpp"
#include "sdk/core/common/unique_fd.hpp"

namespace aispm::sandbox {

// Level-triggered epoll with one handler a descriptor. Handlers may add and remove descriptors,
// their own among them. Descriptors stay their owners': remove one before closing it. Not
// thread-safe.
class EventLoop {
 public:
  using Handler = std::function<void(std::uint32_t events)>;

  static Result<EventLoop> open();
  Result<> add(int fd, std::uint32_t events, Handler handler);
  void change(int fd, std::uint32_t events);
  void remove(int fd);
  // Waits for at most `timeout_ms` (negative: for ever) and runs the handlers of what is ready.
  // Gives how many ran.
  Result<int> run_once(int timeout_ms);

 private:
  explicit EventLoop(UniqueFd epoll) : epoll_(std::move(epoll)) {}
  UniqueFd epoll_;
  std::map<int, std::shared_ptr<Handler>> handlers_;
};

}  // namespace aispm::sandbox
