// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <poll.h>

#include <chrono>
#include <cstddef>
#include <functional>
#include <vector>

#include "gateway/proxy/admin_request.hpp"
#include "sdk/core/common/unique_fd.hpp"

namespace aispm::gateway {

// Connections at an operator's door from accept() until their request is whole. One thread waits
// for all of them, so whoever connects and says nothing keeps nobody from being served; when there
// are too many, the one that was silent longest is closed for the next.
class AdminCallers {
 public:
  struct Bounds {
    std::size_t callers = 256;
    std::chrono::milliseconds deadline{5000};  // for a request to arrive
    std::chrono::milliseconds linger{2000};    // reads on behind a refusal, so that it arrives
  };
  // What becomes of them. Called by run(), so none of these may wait.
  struct Handlers {
    std::function<bool(const UniqueFd&)> admit;  // false: was refused, and told so
    std::function<void(UniqueFd, ArrivedRequest)> serve;
    std::function<void(const UniqueFd&, const Error&)> refuse;  // the request never came whole
    std::function<void()> note_crowded_out;
  };

  // `listener` (which does not block) and `stop` must outlive it.
  AdminCallers(const UniqueFd& listener, const UniqueFd& stop, Bounds bounds, Handlers handlers)
      : listener_(listener), stop_(stop), bounds_(bounds), handlers_(std::move(handlers)) {}

  // Until `stop` is readable.
  void run();

 private:
  using Clock = std::chrono::steady_clock;
  struct Caller {
    UniqueFd peer;  // none: gone, or being served
    AdminRequestReader reader;
    Clock::time_point heard;  // of it last
    Clock::time_point until;  // then it is told, or closed when it was
    bool was_told = false;    // refused: what still comes is thrown away
  };
  void fill_waits(Clock::time_point now);
  int milliseconds_to_wait(Clock::time_point now) const;
  void accept_all(Clock::time_point now);
  void make_room();
  void hear(Caller& caller, Clock::time_point now);
  void tell(Caller& caller, const Error& error, Clock::time_point now);

  const UniqueFd& listener_;
  const UniqueFd& stop_;
  const Bounds bounds_;
  const Handlers handlers_;
  std::vector<Caller> callers_;
  std::vector<pollfd> waits_;       // stop, listener, then one for each caller
  Clock::time_point accepts_at_{};  // not before: the process has no descriptors left
};

}  // namespace aispm::gateway
