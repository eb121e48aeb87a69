// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <chrono>
#include <functional>
#include <optional>
#include <string>
#include <string_view>

#include "sandbox/supervise/event_loop.hpp"
#include "sandbox/supervise/gateway_link.hpp"
#include "sdk/core/common/unique_fd.hpp"

namespace aispm::sandbox {

// What operators said about this run.
enum class Freeze { kFree, kFrozen, kKilled };
struct FreezeWord {
  Freeze freeze = Freeze::kFree;
  std::string reason;
};
// A line of the gateway: "free", "frozen REASON", "killed REASON". Nothing for any other.
std::optional<FreezeWord> parse_freeze(std::string_view line);

// Listens to the gateway for as long as the run lasts, over as many connections as it takes: a
// gateway repeats its word every few seconds, and a connection without one for kSilence is made
// anew. While there is none, the last word stands. Not thread-safe.
class FreezeLink {
 public:
  using Clock = std::chrono::steady_clock;
  using Hear = std::function<void(const FreezeWord&)>;
  static constexpr std::size_t kMaxLineBytes = 4096;
  static constexpr std::chrono::seconds kSilence{20};

  FreezeLink(GatewayLink link, EventLoop& loop, Hear hear)
      : link_(std::move(link)), loop_(loop), hear_(std::move(hear)) {}
  FreezeLink(const FreezeLink&) = delete;
  FreezeLink& operator=(const FreezeLink&) = delete;
  ~FreezeLink() { close(); }

  // When keep() is due.
  Clock::time_point due() const { return due_; }
  // When it is time: connects where there is no connection, or ends one that fell silent and
  // connects again.
  void keep(Clock::time_point now);

 private:
  static constexpr std::chrono::milliseconds kPause{1000};
  void read();
  void take(std::string_view bytes);
  void close();

  const GatewayLink link_;
  EventLoop& loop_;
  const Hear hear_;
  UniqueFd socket_;
  std::string line_;
  bool is_head_over_ = false;
  Clock::time_point due_ = Clock::now();
};

}  // namespace aispm::sandbox
