// SPDX-License-Identifier: Apache-2.0
#include "sensor/correlate/both_ends.hpp"

#include <utility>

namespace aispm::sensor {
namespace {

constexpr std::uint64_t nanoseconds(std::chrono::nanoseconds duration) {
  return static_cast<std::uint64_t>(duration.count());
}

// Two ends of one call see its request within this.
constexpr std::uint64_t kSameCallNanoseconds = nanoseconds(std::chrono::seconds(2));

std::uint64_t distance(BootTime a, BootTime b) {
  return a > b ? a.nanoseconds - b.nanoseconds : b.nanoseconds - a.nanoseconds;
}

}  // namespace

void BothEnds::take(Observation seen, BootTime now) {
  if (!seen.party.is_server || seen.party.key.source == StreamSource::kStdio) {
    remember_client(seen);
    return sink_(std::move(seen));
  }
  if (held_.size() >= kMaxHeld) {
    counters_.lose("duplicates.held_full");
    release_front();
  }
  held_.push_back({now, std::move(seen)});
}

void BothEnds::remember_client(const Observation& seen) {
  if (const auto& socket = seen.party.socket)
    (void)clients_.put({socket->source, socket->destination}, seen.time);
  if (!seen.call.prompt_sha256.empty())
    (void)client_calls_.put({seen.call.api, seen.call.prompt_sha256, seen.call.request_bytes},
                            {seen.time, seen.party.socket.has_value()});
}

bool BothEnds::was_seen_by_client(const Observation& seen) {
  if (const auto& socket = seen.party.socket)
    if (clients_.find({socket->destination, socket->source}) != nullptr) return true;
  if (seen.call.prompt_sha256.empty()) return false;
  const ClientCall* call =
      client_calls_.find({seen.call.api, seen.call.prompt_sha256, seen.call.request_bytes});
  if (call == nullptr || distance(call->time, seen.time) >= kSameCallNanoseconds) return false;
  // Both connections are known, and they differ: two clients asked the same. One that was reset has
  // lost its port by the time its server reads what came before.
  const bool has_socket = seen.party.socket && seen.party.socket->source.port != 0;
  return !(has_socket && call->has_socket);
}

void BothEnds::release(BootTime now) {
  while (!held_.empty() && held_.front().since.nanoseconds + nanoseconds(kHold) <= now.nanoseconds)
    release_front();
}

void BothEnds::release_all() {
  while (!held_.empty()) release_front();
}

void BothEnds::release_front() {
  Observation seen = std::move(held_.front().seen);
  held_.pop_front();
  if (was_seen_by_client(seen)) return counters_.note("duplicates.dropped");
  sink_(std::move(seen));
}

}  // namespace aispm::sensor
