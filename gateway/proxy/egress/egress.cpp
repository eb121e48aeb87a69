// SPDX-License-Identifier: Apache-2.0
#include "gateway/proxy/egress/egress.hpp"

#include <arpa/inet.h>
#include <sys/socket.h>

#include <algorithm>
#include <array>

#include "gateway/net/dial.hpp"
#include "gateway/proxy/egress/egress_state.hpp"
#include "gateway/proxy/fleet/run_freezes.hpp"
#include "gateway/proxy/fleet/run_rules.hpp"
#include "gateway/proxy/fleet/watched_hosts.hpp"
#include "sdk/core/common/id.hpp"

namespace aispm::gateway {

using codec::http1::Head;
using net::Task;
using net::asio::awaitable;

namespace {

constexpr std::chrono::seconds kHelloLimit{10};
constexpr std::size_t kPumpBytes = 64U << 10;
// RFC 8446 section 6: alert record, fatal, access_denied (49).
constexpr std::string_view kAccessDenied("\x15\x03\x03\x00\x02\x02\x31", 7);

// Says why not, once.
struct No {
  int status = 403;
  std::string reason;
  bool is_denied = true;
};

// Where the connection went, after the name.
void fill_destination(net::Stream& stream, model::SocketClose& close) {
  sockaddr_storage address{};
  socklen_t size = sizeof address;
  std::array<char, INET6_ADDRSTRLEN> text{};
  if (::getpeername(stream.native_handle(), reinterpret_cast<sockaddr*>(&address), &size) != 0)
    return;
  const void* bytes =
      address.ss_family == AF_INET
          ? static_cast<const void*>(&reinterpret_cast<const sockaddr_in*>(&address)->sin_addr)
          : &reinterpret_cast<const sockaddr_in6*>(&address)->sin6_addr;
  if (::inet_ntop(address.ss_family, bytes, text.data(), text.size()))
    close.destination_address = text.data();
}

void record(const Egress& egress, model::SocketClose close, net::Clock::time_point started,
            WallTime started_wall) {
  const auto spent =
      std::chrono::duration_cast<std::chrono::microseconds>(net::Clock::now() - started);
  Services& services = egress.client.worker().services();
  const Caller& caller = egress.client.caller;
  close.destination_port = egress.host.port;
  close.bytes_sent = egress.sent_bytes;
  close.bytes_received = egress.received_bytes;
  close.duration_us = static_cast<std::uint64_t>(spent.count());
  close.name = egress.host.name;
  close.name_source = egress.is_tunnel ? "sni" : "http_host";
  model::Event event;
  event.id = make_uuid();
  event.time = started_wall;
  event.tenant = caller.tenant;
  event.host_id = services.host_id;
  event.agent_id = caller.agent_id;
  event.session_id = caller.session_id;
  event.trace_id = caller.trace_id;
  event.span_id = make_span_id();
  event.source = model::Source::kGateway;
  model::Decision decision;
  decision.outcome = egress.ended_by.empty() ? model::Outcome::kAllow : model::Outcome::kDeny;
  decision.mode = "enforce";
  decision.rule_id = "egress.allow_hosts";
  decision.reason = egress.ended_by;
  decision.case_id = event.id;
  event.decision = std::move(decision);
  event.body = std::move(close);
  egress.client.worker().record(std::move(event));
}

std::optional<No> judge(const Client& client, const Head& head, const HostPort& host,
                        Services& services) {
  if (auto checked = check_request(head, host); !checked)
    return No{400, checked.error().message, true};
  if (!is_allowed(services.config.egress.allow_hosts, host))
    return No{403, "the gateway's operator does not permit it (egress.allow_hosts)", true};
  if (const auto objection = find_host_objection(services, client.caller, host))
    return No{objection->is_denied ? 403 : 503, objection->reason, objection->is_denied};
  if (services.recorder->is_failing() && services.config.audit == Audit::kRequired)
    return No{503, "connections cannot be recorded at the moment", false};
  if (client.caller.session_id.empty()) return No{400, "the run has no session", true};
  return {};
}

// Resolves once and connects to what was found; nothing else is ever resolved for this connection.
Task<std::unique_ptr<net::Stream>> reach(Worker& worker, HostPort host) {
  net::Origin origin;
  origin.tls = false;
  origin.host = host.name;
  origin.port = host.port;
  net::DialOptions options;
  options.refuse_own = true;
  options.deadline = worker.services().config.limits.upstream_connect;
  co_return co_await net::dial(worker.context(), worker.watchdog(), std::move(origin), nullptr,
                               options);
}

// One direction of a tunnel. `rest` was read before it began.
awaitable<void> pump(Egress& egress, net::Stream& from, net::Stream& to, std::uint64_t& direction) {
  std::vector<char> space(kPumpBytes);
  while (true) {
    auto size = co_await from.read_some(space);
    if (!size) break;
    if (*size == 0) {
      to.shutdown_write();
      co_return;
    }
    if (!egress.count(direction, *size)) break;
    egress.touch();
    if (!co_await to.write(std::string_view(space.data(), *size))) break;
  }
  egress.abort();
}

// The agent's first bytes must be a ClientHello for the host, before the host sees any of them.
Task<> expect_hello(Egress& egress) {
  Client& client = egress.client;
  client.stream().expire_after(kHelloLimit);
  while (true) {
    const HelloCheck check = check_hello(client.input().view(), egress.host);
    if (check.state == HelloCheck::State::kGood) co_return Result<>{};
    if (check.state == HelloCheck::State::kBad) co_return fail(Errc::kDenied, check.reason);
    AISPM_CO_TRY(const bool more, co_await read_more(client.stream(), client.input(), 4096));
    if (!more) co_return fail(Errc::kUnavailable, "the agent ended the tunnel before it spoke");
  }
}

Task<> carry_tunnel(Egress& egress) {
  using namespace net::asio::experimental::awaitable_operators;
  Client& client = egress.client;
  AISPM_CO_CHECK(co_await client.send("HTTP/1.1 200 Connection Established\r\n\r\n"));
  if (auto hello = co_await expect_hello(egress); !hello) {
    if (hello.error().code != Errc::kDenied) co_return hello;
    client.worker().counters().egress_refused.add();
    egress.ended_by = hello.error().message;
    (void)co_await client.send(kAccessDenied);
    co_return co_await client.linger();
  }
  const std::string first(client.input().view());
  client.input().consume(first.size());
  if (!egress.count(egress.sent_bytes, first.size())) co_return Result<>{};
  egress.touch();
  AISPM_CO_CHECK(co_await egress.upstream->write(first));
  co_await (pump(egress, client.stream(), *egress.upstream, egress.sent_bytes) &&
            pump(egress, *egress.upstream, client.stream(), egress.received_bytes));
  if (egress.upstream->timed_out() && egress.ended_by.empty()) egress.ended_by = "it was idle";
  co_return Result<>{};
}

Task<> say_no(Client& client, HostPort host, No no) {
  if (no.is_denied) client.worker().counters().egress_refused.add();
  const std::string reply = egress_refusal(no.status, host, no.reason, no.is_denied);
  AISPM_CO_CHECK(co_await client.send(reply));
  co_return co_await client.linger();
}

}  // namespace

bool Egress::count(std::uint64_t& direction, std::size_t size) {
  direction += size;
  if (sent_bytes + received_bytes <= config().bytes) return true;
  ended_by = "more than " + std::to_string(config().bytes) + " bytes (egress.bytes)";
  return false;
}

void Egress::touch() {
  client.stream().expire_after(config().idle);
  upstream->expire_after(config().idle);
}

void Egress::abort() {
  // A limit or a broken side ends the other side too; what ran out of time is told by its stream.
  client.stream().abort();
  upstream->abort();
}

awaitable<bool> serve_egress(Client& client, const Head& head) {
  Worker& worker = client.worker();
  Services& services = worker.services();
  Egress egress(client, *client.egress);
  egress.is_tunnel = head.method == "CONNECT";
  if (auto frozen = find_freeze(services, client.caller)) {
    (void)co_await say_no(client, egress.host, No{403, frozen->message, true});
    co_return false;
  }
  if (auto no = judge(client, head, egress.host, services)) {
    (void)co_await say_no(client, egress.host, std::move(*no));
    co_return false;
  }
  record_watched_hosts(client, egress.host);
  const auto lease =
      services.egress.take(client.caller.session_id, services.config.egress.connections);
  if (!lease) {
    No full{429, "the run has too many connections (egress.connections)", true};
    (void)co_await say_no(client, egress.host, std::move(full));
    co_return false;
  }
  const auto started = net::Clock::now();
  const auto started_wall = wall_now();
  auto upstream = co_await reach(worker, egress.host);
  if (!upstream) {
    const bool is_denied = upstream.error().code == Errc::kDenied;
    No lost{is_denied ? 403 : 502, upstream.error().message, is_denied};
    (void)co_await say_no(client, egress.host, std::move(lost));
    co_return false;
  }
  worker.counters().egress_connections.add();
  egress.upstream = std::move(*upstream);
  const FreezeList::Entry freezable(worker.freezes(), client.caller.freeze_key(),
                                    [&egress](const policy::Freeze* freeze) {
                                      if (freeze == nullptr) return;
                                      egress.ended_by = "an operator stopped it: " + freeze->reason;
                                      egress.abort();
                                    });
  if (auto frozen = find_freeze(services, client.caller)) {  // while the host was dialled
    (void)co_await say_no(client, egress.host, No{403, frozen->message, true});
    co_return false;
  }
  model::SocketClose close;
  fill_destination(*egress.upstream, close);
  if (egress.is_tunnel) {
    client.input().consume(head.size_bytes);
    (void)co_await carry_tunnel(egress);
  } else {
    (void)co_await carry_request(egress, head);
  }
  record(egress, std::move(close), started, started_wall);
  co_return false;
}

awaitable<bool> refuse_proxy_request(Client& client, const Head& head) {
  (void)head;
  const std::string reply = egress_refusal(
      403, {"this request", 0},
      "a proxy's request must be the first of its connection, so that it can be checked", true);
  client.worker().counters().egress_refused.add();
  if (co_await client.send(reply)) (void)co_await client.linger();
  co_return false;
}

namespace {

std::vector<std::string> provider_hosts(const Services& services) {
  std::vector<std::string> hosts;
  const auto providers = services.providers.current();
  for (const auto& provider : providers->all())
    if (const std::string& name = provider->origin().host;
        is_host_name(name) && std::find(hosts.begin(), hosts.end(), name) == hosts.end())
      hosts.push_back(name);
  return hosts;
}

std::string join(const std::vector<std::string>& words) {
  std::string text;
  for (const std::string& word : words) text += (text.empty() ? "" : " ") + word;
  return text;
}

}  // namespace

bool strip_own_authority(const Services& services, Head& head) {
  constexpr std::string_view kScheme = "http://";
  if (head.method == "CONNECT" || !head.target.starts_with(kScheme)) return false;
  const std::string_view rest = head.target.substr(kScheme.size());
  const auto slash = rest.find('/');
  if (slash == std::string_view::npos) return false;
  const std::string_view authority = rest.substr(0, slash);
  const bool is_loopback =
      authority.starts_with("127.0.0.1:") || authority.starts_with("localhost:");
  const auto hosts = provider_hosts(services);
  const auto named = parse_authority(authority, 80);
  const bool is_provider =
      named && std::find(hosts.begin(), hosts.end(), named->name) != hosts.end();
  if (!is_loopback && !is_provider) return false;
  head.target = rest.substr(slash);
  return true;
}

std::string own_hosts(const Services& services) { return join(provider_hosts(services)); }

std::string own_dialects(const Services& services) {
  std::vector<std::string> dialects;
  const auto providers = services.providers.current();
  for (const auto& provider : providers->all()) {
    std::string name(name_of(provider->config().dialect));
    if (std::find(dialects.begin(), dialects.end(), name) == dialects.end())
      dialects.push_back(std::move(name));
  }
  return join(dialects);
}

}  // namespace aispm::gateway
