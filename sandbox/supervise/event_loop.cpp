// SPDX-License-Identifier: Apache-2.0
#include "sandbox/supervise/event_loop.hpp"

#include <sys/epoll.h>

#include <array>

namespace aispm::sandbox {

Result<EventLoop> EventLoop::open() {
  UniqueFd epoll(::epoll_create1(EPOLL_CLOEXEC));
  if (!epoll) return fail_errno("epoll_create1");
  return EventLoop(std::move(epoll));
}

Result<> EventLoop::add(int fd, std::uint32_t events, Handler handler) {
  epoll_event event{};
  event.events = events;
  event.data.fd = fd;
  if (::epoll_ctl(epoll_.get(), EPOLL_CTL_ADD, fd, &event) != 0) return fail_errno("epoll_ctl");
  handlers_[fd] = std::make_shared<Handler>(std::move(handler));
  return {};
}

void EventLoop::change(int fd, std::uint32_t events) {
  epoll_event event{};
  event.events = events;
  event.data.fd = fd;
  (void)::epoll_ctl(epoll_.get(), EPOLL_CTL_MOD, fd,
                    &event);  // fails only for what was never added
}

void EventLoop::remove(int fd) {
  if (handlers_.erase(fd) != 0) (void)::epoll_ctl(epoll_.get(), EPOLL_CTL_DEL, fd, nullptr);
}

Result<int> EventLoop::run_once(int timeout_ms) {
  std::array<epoll_event, 64> events{};
  const int count =
      ::epoll_wait(epoll_.get(), events.data(), static_cast<int>(events.size()), timeout_ms);
  if (count < 0) {
    if (errno == EINTR) return 0;
    return fail_errno("epoll_wait");
  }
  for (int i = 0; i < count; ++i) {
    const auto& event = events[static_cast<std::size_t>(i)];
    const auto found =
        handlers_.find(event.data.fd);  // an earlier handler of this round may have removed it
    if (found == handlers_.end()) continue;
    const auto handler = found->second;
    (*handler)(event.events);
  }
  return count;
}

}  // namespace aispm::sandbox
