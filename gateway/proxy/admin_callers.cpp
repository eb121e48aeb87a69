// SPDX-License-Identifier: Apache-2.0
#include "gateway/proxy/admin_callers.hpp"

#include <sys/socket.h>

#include <algorithm>
#include <array>
#include <cerrno>

#include "sdk/core/common/log.hpp"

namespace aispm::gateway {
namespace {

constexpr std::size_t kOwnWaits = 2;  // stop and listener, before the callers'
constexpr std::chrono::milliseconds kBusyPause{100};
// At a time: requests of those who are there already are read in between.
constexpr unsigned kMaxAccepts = 32;
constexpr std::size_t kReadBytes = 16U << 10;

}  // namespace

void AdminCallers::run() {
  while (true) {
    fill_waits(Clock::now());
    if (::poll(waits_.data(), waits_.size(), milliseconds_to_wait(Clock::now())) < 0) {
      if (errno == EINTR) continue;
      return log::error("admin.closed", fail_errno("poll").value());
    }
    if (waits_[0].revents != 0) return;
    const Clock::time_point now = Clock::now();
    for (std::size_t i = 0; i < callers_.size(); ++i)
      if (waits_[kOwnWaits + i].revents != 0) hear(callers_[i], now);
    // After hearing: what had arrived in time counts, however late this thread comes to it.
    for (Caller& caller : callers_) {
      if (!caller.peer || caller.until > now) continue;
      if (caller.was_told)
        caller.peer.reset();
      else
        tell(caller, {Errc::kDeadlineExceeded, "the request did not arrive", 0}, now);
    }
    std::erase_if(callers_, [](const Caller& caller) { return !caller.peer; });
    if (waits_[1].revents != 0) accept_all(now);
  }
}

void AdminCallers::fill_waits(Clock::time_point now) {
  const auto wait_for = [this](int descriptor) {
    waits_.push_back({.fd = descriptor, .events = POLLIN, .revents = 0});
  };
  waits_.clear();
  wait_for(stop_.get());
  wait_for(now < accepts_at_ ? -1 : listener_.get());  // poll() leaves out what is negative
  for (const Caller& caller : callers_) wait_for(caller.peer.get());
}

int AdminCallers::milliseconds_to_wait(Clock::time_point now) const {
  Clock::time_point next = Clock::time_point::max();
  if (now < accepts_at_) next = accepts_at_;
  for (const Caller& caller : callers_) next = std::min(next, caller.until);
  if (next == Clock::time_point::max()) return -1;
  const auto left = std::chrono::ceil<std::chrono::milliseconds>(next - now).count();
  return static_cast<int>(std::clamp<std::chrono::milliseconds::rep>(left, 0, 60'000));
}

void AdminCallers::accept_all(Clock::time_point now) {
  for (unsigned i = 0; i < kMaxAccepts; ++i) {
    UniqueFd peer(::accept4(listener_.get(), nullptr, nullptr, SOCK_CLOEXEC));
    if (!peer) {
      if (errno != EMFILE && errno != ENFILE && errno != ENOMEM && errno != ENOBUFS) return;
      // Whoever waits stays in the backlog: look again later, not at once.
      log::warn("admin.busy", {{"reason", fail_errno("accept").value().message}});
      accepts_at_ = now + kBusyPause;
      return;
    }
    if (!handlers_.admit(peer)) continue;
    if (callers_.size() >= bounds_.callers) make_room();
    callers_.push_back({.peer = std::move(peer),
                        .reader = {},
                        .heard = now,
                        .until = now + bounds_.deadline,
                        .was_told = false});
  }
}

void AdminCallers::make_room() {
  const auto idlest =
      std::min_element(callers_.begin(), callers_.end(), [](const Caller& a, const Caller& b) {
        return a.was_told != b.was_told ? a.was_told : a.heard < b.heard;
      });
  if (!idlest->was_told) handlers_.note_crowded_out();
  callers_.erase(idlest);
}

void AdminCallers::hear(Caller& caller, Clock::time_point now) {
  std::array<char, kReadBytes> space;
  const ssize_t size = ::recv(caller.peer.get(), space.data(), space.size(), MSG_DONTWAIT);
  if (size < 0 && (errno == EAGAIN || errno == EINTR)) return;
  if (size <= 0) {
    // One that only ended its own half still hears why.
    if (size == 0 && !caller.was_told)
      handlers_.refuse(caller.peer, {Errc::kInvalid, "the request did not arrive", 0});
    return caller.peer.reset();
  }
  if (caller.was_told) return;
  caller.heard = now;
  const Result<bool> is_whole =
      caller.reader.add(std::string_view(space.data(), static_cast<std::size_t>(size)));
  if (!is_whole) return tell(caller, is_whole.error(), now);
  if (*is_whole) handlers_.serve(std::move(caller.peer), caller.reader.take());
}

void AdminCallers::tell(Caller& caller, const Error& error, Clock::time_point now) {
  handlers_.refuse(caller.peer, error);
  (void)::shutdown(caller.peer.get(), SHUT_WR);
  caller.reader = AdminRequestReader();
  caller.was_told = true;
  caller.until = now + bounds_.linger;
}

}  // namespace aispm::gateway
