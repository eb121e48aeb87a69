// SPDX-License-Identifier: Apache-2.0
// What the supervisor does about the agent's network: names, packets, doors.
#include <sys/epoll.h>
#include <sys/socket.h>

#include <array>

#include "sandbox/supervise/packet.hpp"
#include "sandbox/supervise/proxy_header.hpp"
#include "sandbox/supervise/supervisor.hpp"

namespace aispm::sandbox {
namespace {

constexpr int kMaxPerTurn = 256;  // packets or queries handled before others have their turn
constexpr std::size_t kMaxPacketBytes = 2048;
constexpr int kFreshSocketsMs = 200;  // for process 1 to make some
constexpr Ip4 kLoopback4 = {127, 0, 0, 1};
constexpr Ip6 kLoopback6 = {0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 1};

std::string lower(std::string text) {
  for (char& c : text)
    if (c >= 'A' && c <= 'Z') c = static_cast<char>(c - 'A' + 'a');
  return text;
}

bool is_localhost(const std::string& name) {  // RFC 6761 section 6.3
  return name == "localhost" || name.ends_with(".localhost");
}

}  // namespace

Result<> Supervisor::watch_network(std::vector<std::string> gateway_hosts) {
  RelaySettings settings;
  settings.gateway_socket = plan_.gateway_socket;
  settings.policy = {!plan_.gateway_socket.empty(), plan_.allow_hosts, std::move(gateway_hosts),
                     plan_.profile};
  settings.header = [this](const std::optional<HostPort>& host) {
    return make_proxy_header(
        Speaker::kAgent, run_.session_id, plan_.agent, run_.trace_id,
        {.egress_host = host ? host->name + ":" + std::to_string(host->port) : "",
         .parents = run_.parents,
         .parent_session = {}});
  };
  settings.on_refused = [this](Denial denial) { add_denial(std::move(denial)); };
  settings.on_carried = [this](const Carried& carried) {
    delivery_.note(carried_event(run_, carried));
  };
  relay_ = std::make_unique<Relay>(loop_, std::move(watched_.proxy), std::move(settings));
  AISPM_CHECK(relay_->start());
  trap_ = std::make_unique<Trap>(
      loop_, [this](int family) { return fresh_sockets(family); },
      [this](Arrival arrival) { relay_->take(std::move(arrival)); });
  AISPM_CHECK(
      loop_.add(watched_.monitor.get(), EPOLLIN, [this](std::uint32_t) { read_packets(); }));
  AISPM_CHECK(loop_.add(watched_.dns4.get(), EPOLLIN,
                        [this](std::uint32_t) { read_dns(watched_.dns4.get(), AF_INET); }));
  if (watched_.dns6)
    AISPM_CHECK(loop_.add(watched_.dns6.get(), EPOLLIN,
                          [this](std::uint32_t) { read_dns(watched_.dns6.get(), AF_INET6); }));
  dns_tcp_ =
      std::make_unique<DnsTcp>(loop_, std::move(watched_.dns_tcp),
                               [this](std::span<const std::uint8_t> packet, const char* protocol) {
                                 return answer_query(packet, protocol);
                               });
  return dns_tcp_->start();
}

void Supervisor::read_packets() {
  std::array<std::uint8_t, kMaxPacketBytes> packet{};
  for (int i = 0; i < kMaxPerTurn; ++i) {
    const ssize_t size = ::recv(watched_.monitor.get(), packet.data(), packet.size(), MSG_DONTWAIT);
    if (size <= 0) return;
    auto denial = parse_packet({packet.data(), static_cast<std::size_t>(size)});
    // A trapped connection is reported, or carried, by what it says.
    if (!denial || (denial->protocol == "tcp" && trap_->listens_at(denial->target))) continue;
    // Without a listener the kernel answers with a reset or "port unreachable".
    if (denial->error == 0) denial->error = ECONNREFUSED;
    denial->name = names_.find_target(denial->target);
    add_denial(std::move(*denial));
  }
}

void Supervisor::read_dns(int socket, int family) {
  const auto answer = [this](std::span<const std::uint8_t> packet, const char* protocol) {
    return answer_query(packet, protocol);
  };
  for (int i = 0; i < kMaxPerTurn; ++i)
    if (!serve_dns(socket, family, answer)) return;
}

// Nothing is ever asked outside: each name gets an address that stands for it in here alone.
std::vector<std::uint8_t> Supervisor::answer_query(std::span<const std::uint8_t> packet,
                                                   const char* protocol) {
  const auto query = parse_dns_query(packet);
  if (!query) {
    add_denial({DenialKind::kDns, "(not a DNS query)", protocol});
    return {};
  }
  if (!is_localhost(lower(query->name))) add_denial({DenialKind::kDns, query->name, protocol});
  return answer_name(*query);
}

std::vector<std::uint8_t> Supervisor::answer_name(const DnsQuery& query) {
  if (!query.is_standard) return answer_dns(query, DnsCode::kRefused);
  const bool is_ip4 = query.type == static_cast<std::uint16_t>(DnsType::kA);
  const bool is_ip6 = query.type == static_cast<std::uint16_t>(DnsType::kAaaa);
  const std::string name = lower(query.name);
  if (is_localhost(name)) {
    if (is_ip4) return answer_dns(query, DnsCode::kNoError, kLoopback4);
    return is_ip6 ? answer_dns(query, DnsCode::kNoError, kLoopback6)
                  : answer_dns(query, DnsCode::kNoError);
  }
  if (query.type == static_cast<std::uint16_t>(DnsType::kPtr) || !query.is_host_name)
    return answer_dns(query, DnsCode::kNoSuchName);
  if (!is_ip4 && (!is_ip6 || !watched_.dns6)) return answer_dns(query, DnsCode::kNoError);
  const std::uint32_t number = names_.remember(name);
  // Without a trap the connection is refused by the kernel, and named all the same.
  if (auto set = trap_->set(number, is_ip4 ? AF_INET : AF_INET6, name);
      !set && warnings_.size() < kMaxWarnings)
    warnings_.push_back(set.error().message);
  if (is_ip4) return answer_dns(query, DnsCode::kNoError, synthetic_ip4(number));
  return answer_dns(query, DnsCode::kNoError, synthetic_ip6(number));
}

// Made by process 1, which stands in the agent's network; it answers within microseconds.
Result<std::vector<UniqueFd>> Supervisor::fresh_sockets(int family) {
  ControlMessage request;
  request.kind = ControlKind::kMoreSockets;
  request.value = static_cast<std::uint64_t>(family);
  AISPM_CHECK(send_message(watched_.control.get(), request));
  while (true) {
    AISPM_TRY(Received received, receive_message(watched_.control.get(), kFreshSocketsMs));
    if (received.message.kind == ControlKind::kFreshSockets) return std::move(received.fds);
    handle_control(received.message);
  }
}

}  // namespace aispm::sandbox
