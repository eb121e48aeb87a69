// SPDX-License-Identifier: Apache-2.0
#include "gateway/proxy/fleet/run_freezes.hpp"

#include <boost/asio/steady_timer.hpp>

namespace aispm::gateway {
namespace {

// Freezes also end by the clock alone.
constexpr std::chrono::seconds kLook{1};
// The word is said again after so long, that aispm-run knows that somebody is there
// (FreezeLink::kSilence).
constexpr std::chrono::seconds kRepeat{5};

std::string line_of(const policy::Freeze* freeze) {
  if (freeze == nullptr) return "free\n";
  std::string line = (freeze->kills ? "killed " : "frozen ") + freeze->reason;
  for (char& c : line)
    if (static_cast<unsigned char>(c) < ' ') c = ' ';
  return line + "\n";
}

}  // namespace

std::optional<Refusal> find_freeze(const Services& services, const Caller& caller) {
  const FreezeKey key = caller.freeze_key();
  const auto book = services.freezes.load();
  const policy::Freeze* const freeze = key.find(*book, wall_now());
  if (freeze == nullptr) return {};
  return Refusal{.kind = RefusalKind::kFrozen,
                 .message = "AISPM: an operator has stopped this: " + freeze->reason,
                 .decision = "kill_switch",
                 .case_id = freeze->id};
}

net::Task<bool> serve_run_freezes(Client& client, codec::http1::Head head) {
  Worker& worker = client.worker();
  client.input().consume(head.size_bytes);
  AISPM_CO_CHECK(co_await client.send(
      "HTTP/1.1 200 OK\r\ncontent-type: text/plain\r\nconnection: close\r\n\r\n"));
  net::asio::steady_timer changed(worker.context());
  std::uint64_t changes = 0;
  const auto known = worker.services().runs.enter(client.caller);
  const FreezeList::Entry entry(worker.freezes(), client.caller.freeze_key(),
                                [&](const policy::Freeze*) {
                                  ++changes;
                                  changed.cancel();
                                });
  std::string told;
  auto told_at = net::Clock::now();
  while (!worker.stopping() && !client.stream().peer_is_gone()) {
    const std::uint64_t seen = changes;
    const auto book = worker.services().freezes.load();
    std::string line = line_of(entry.key().find(*book, wall_now()));
    const auto now = net::Clock::now();
    if (line != told || now - told_at >= kRepeat) {
      AISPM_CO_CHECK(co_await client.send(line));
      told_at = now;
    }
    told = std::move(line);
    client.stream().expire_never();
    if (changes != seen) continue;
    changed.expires_after(kLook);
    (void)co_await changed.async_wait(net::kNoThrow);
  }
  co_return false;
}

}  // namespace aispm::gateway
