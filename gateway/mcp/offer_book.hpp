// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <chrono>
#include <mutex>
#include <optional>
#include <string>
#include <vector>

#include "gateway/mcp/server_message.hpp"

namespace aispm::gateway {

// What each server said last that it has, whoever asked it: the gateway may not say of itself that
// it tells of changes where no server behind it does. Any thread.
class OfferBook {
 public:
  using Time = std::chrono::steady_clock::time_point;
  // A server that could not be asked is left in peace for so long.
  static constexpr std::chrono::seconds kPause{30};

  explicit OfferBook(std::size_t servers) : servers_(servers) {}

  // Nothing: it has not been asked yet, or did not answer.
  std::optional<ServerOffers> of(std::size_t server) const {
    const std::lock_guard lock(mutex_);
    return servers_[server].offers;
  }
  // As in ServerHello.
  std::string instructions(std::size_t server) const {
    const std::lock_guard lock(mutex_);
    return servers_[server].instructions;
  }
  void keep(std::size_t server, const ServerOffers& offers, std::string instructions) {
    const std::lock_guard lock(mutex_);
    servers_[server].offers = offers;
    servers_[server].instructions = std::move(instructions);
  }
  // Whether it is not known and worth asking.
  bool must_ask(std::size_t server, Time now) const {
    const std::lock_guard lock(mutex_);
    return !servers_[server].offers && now >= servers_[server].not_before;
  }
  void note_failure(std::size_t server, Time now) {
    const std::lock_guard lock(mutex_);
    servers_[server].not_before = now + kPause;
  }

 private:
  struct Entry {
    std::optional<ServerOffers> offers;
    std::string instructions;
    Time not_before{};
  };
  mutable std::mutex mutex_;
  std::vector<Entry> servers_;
};

}  // namespace aispm::gateway
