// SPDX-License-Identifier: Apache-2.0
#include "gateway/net/watchdog.hpp"

namespace aispm::net {

Watchdog::Entry::Entry(Watchdog& owner) : next_(owner.first_), owner_(owner) {
  if (next_) next_->previous_ = this;
  owner.first_ = this;
}

Watchdog::Entry::~Entry() {
  if (next_) next_->previous_ = previous_;
  (previous_ ? previous_->next_ : owner_.first_) = next_;
}

Watchdog::Watchdog(boost::asio::io_context& context) : timer_(context) { tick(); }

void Watchdog::stop() {
  stopped_ = true;
  timer_.cancel();
}

void Watchdog::expire_all() {
  for (Entry* entry = first_; entry; entry = entry->next_) entry->on_expired();
}

void Watchdog::tick() {
  timer_.expires_after(kTick);
  timer_.async_wait([this](boost::system::error_code error) {
    if (error || stopped_) return;
    const auto now = std::chrono::steady_clock::now();
    for (Entry* entry = first_; entry; entry = entry->next_) {
      if (entry->deadline_ > now) continue;
      entry->expire_never();
      entry->on_expired();  // only cancels: entries go away later, in the cancelled operations
    }
    tick();
  });
}

}  // namespace aispm::net
