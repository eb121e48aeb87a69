// SPDX-License-Identifier: Apache-2.0
#include "sensor/correlate/name_tracker.hpp"

#include <algorithm>
#include <array>

#include "sensor/decode/names_dns.hpp"
#include "sensor/decode/names_quic.hpp"
#include "sensor/decode/names_tls.hpp"

namespace aispm::sensor {
namespace {

// Public resolvers with an HTTPS or TLS door, as their operators publish them.
constexpr std::array<std::string_view, 28> kResolvers = {"1.0.0.1",
                                                         "1.1.1.1",
                                                         "149.112.112.112",
                                                         "2606:4700:4700::1001",
                                                         "2606:4700:4700::1111",
                                                         "2001:4860:4860::8844",
                                                         "2001:4860:4860::8888",
                                                         "2620:fe::9",
                                                         "2620:fe::fe",
                                                         "8.8.4.4",
                                                         "8.8.8.8",
                                                         "9.9.9.9",
                                                         "chrome.cloudflare-dns.com",
                                                         "cloudflare-dns.com",
                                                         "dns.adguard-dns.com",
                                                         "dns.adguard.com",
                                                         "dns.google",
                                                         "dns.mullvad.net",
                                                         "dns.nextdns.io",
                                                         "dns.quad9.net",
                                                         "dns0.eu",
                                                         "doh.cleanbrowsing.org",
                                                         "doh.dns.sb",
                                                         "doh.opendns.com",
                                                         "mozilla.cloudflare-dns.com",
                                                         "one.one.one.one",
                                                         "ordns.he.net",
                                                         "security.cloudflare-dns.com"};

SeenName make_name(const NameBytes& bytes, NameSource source) {
  SeenName name;
  name.time = bytes.time;
  name.actor = bytes.actor;
  name.source = source;
  name.socket = bytes.socket;
  name.net_namespace = bytes.net_namespace;
  return name;
}

void fill(SeenName& name, const HelloFacts& facts) {
  name.name = facts.server_name;
  name.alpn = facts.alpn;
  name.encrypted_hello = facts.encrypted_hello;
  name.is_doh = is_doh_resolver(facts.server_name) ||
                (name.socket &&
                 (name.socket->destination.port == 443 || name.socket->destination.port == 853) &&
                 is_doh_resolver(name.socket->destination.host_text()));
}

std::string_view trim(std::string_view text) {
  while (!text.empty() && (text.front() == ' ' || text.front() == '\t')) text.remove_prefix(1);
  while (!text.empty() && (text.back() == ' ' || text.back() == '\r')) text.remove_suffix(1);
  return text;
}

bool is_host_line(std::string_view line) {
  constexpr std::string_view kHost = "host:";
  return line.size() > kHost.size() &&
         std::equal(kHost.begin(), kHost.end(), line.begin(),
                    [](char wanted, char c) { return wanted == (c | 0x20) || wanted == c; });
}

}  // namespace

bool is_doh_resolver(std::string_view name_or_address) {
  return std::find(kResolvers.begin(), kResolvers.end(), name_or_address) != kResolvers.end();
}

void NameTracker::take(const NameBytes& bytes, const OnName& on_name) {
  switch (bytes.kind) {
    case NameBytesKind::kTlsHello:
      return take_hello(bytes, on_name);
    case NameBytesKind::kQuic:
      return take_quic(bytes, on_name);
    case NameBytesKind::kHttp:
      return take_http(bytes, on_name);
    case NameBytesKind::kDns:
      return take_dns(bytes, bytes.bytes, on_name);
    case NameBytesKind::kDnsTcp:
      // A length before each message; those that come in pieces are left out.
      if (bytes.bytes.size() > 2) take_dns(bytes, std::string_view(bytes.bytes).substr(2), on_name);
      return;
  }
}

void NameTracker::wait_for_rest(const Place& place, Hello hello) {
  if (hellos_.put(place, std::move(hello))) ++counters_.hellos_cut;
}

void NameTracker::take_hello(const NameBytes& bytes, const OnName& on_name) {
  const Place place{bytes.socket.cookie, ""};
  Hello hello;
  if (Hello* begun = hellos_.find(place); begun != nullptr && bytes.offset > 0)
    hello = std::move(*begun);
  hellos_.erase(place);
  if (bytes.offset > hello.bytes.size()) {
    ++counters_.hellos_cut;
    return;
  }
  hello.bytes.resize(bytes.offset);  // a segment sent again replaces what it carried
  hello.bytes += bytes.bytes;
  const HelloParse parse = parse_hello_records(hello.bytes);
  if (parse.state == HelloParse::State::kPart && hello.bytes.size() <= kMaxHelloBytes)
    return wait_for_rest(place, std::move(hello));
  if (parse.state != HelloParse::State::kWhole) {
    ++counters_.malformed;
    return;
  }
  SeenName name = make_name(bytes, NameSource::kSni);
  fill(name, parse.facts);
  if (!name.name.empty() || name.encrypted_hello || name.is_doh) on_name(std::move(name));
}

void NameTracker::take_quic(const NameBytes& bytes, const OnName& on_name) {
  const Place place{bytes.socket.cookie, bytes.socket.destination.host_text()};
  Hello hello;
  if (Hello* begun = hellos_.find(place); begun != nullptr) hello = std::move(*begun);
  hellos_.erase(place);
  auto crypto = open_quic_initial(bytes.bytes, hello.quic_keys);
  // Another connection on the same socket has keys of its own.
  if (!crypto && !hello.quic_keys.empty()) {
    hello = {};
    crypto = open_quic_initial(bytes.bytes, "");
  }
  SeenName name = make_name(bytes, NameSource::kQuic);
  name.transport = Transport::kUdp;
  if (!crypto) {
    ++counters_.quic_unread;
    return;
  }
  hello.quic_keys = crypto->key_id;
  for (const QuicCrypto::Part& part : crypto->parts) {
    // '\0' stands for what has not come yet: parts may come in any order.
    const std::size_t end = part.offset + part.bytes.size();
    if (end > kMaxHelloBytes) continue;
    if (hello.bytes.size() < end) hello.bytes.resize(end);
    hello.bytes.replace(part.offset, part.bytes.size(), part.bytes);
  }
  const HelloParse parse = parse_client_hello(hello.bytes);
  if (parse.state != HelloParse::State::kWhole) return wait_for_rest(place, std::move(hello));
  fill(name, parse.facts);
  if (!name.name.empty() || name.encrypted_hello || name.is_doh) on_name(std::move(name));
}

void NameTracker::take_dns(const NameBytes& bytes, std::string_view message,
                           const OnName& on_name) {
  const auto dns = parse_dns(message);
  if (!dns) {
    ++counters_.malformed;
    return;
  }
  // A server's own side: its answers go out.
  if (dns->is_answer != (bytes.direction == Direction::kRead)) return;
  constexpr std::uint16_t kTypeA = 1;
  constexpr std::uint16_t kTypeAaaa = 28;
  constexpr std::uint16_t kTypeHttps = 65;
  if (dns->type != kTypeA && dns->type != kTypeAaaa && dns->type != kTypeHttps) return;
  SeenName name = make_name(bytes, NameSource::kDns);
  name.transport = bytes.kind == NameBytesKind::kDns ? Transport::kUdp : Transport::kTcp;
  name.name = dns->name;
  name.ttl_seconds = dns->ttl_seconds;
  for (const DnsAddress& address : dns->addresses)
    name.addresses.push_back({address.bytes, address.is_v6, 0});
  on_name(std::move(name));
}

void NameTracker::take_http(const NameBytes& bytes, const OnName& on_name) {
  std::string_view rest = bytes.bytes;
  while (!rest.empty()) {
    const std::size_t end = rest.find('\n');
    if (end == std::string_view::npos) return;  // cut: half a name is another's
    const std::string_view line = rest.substr(0, end);
    rest.remove_prefix(end + 1);
    if (trim(line).empty()) return;  // the head's end
    if (!is_host_line(line)) continue;
    std::string_view host = trim(line.substr(5));
    if (host.starts_with('[')) return;  // an IPv6 address
    if (const auto colon = host.rfind(':'); colon != std::string_view::npos)
      host = host.substr(0, colon);
    SeenName name = make_name(bytes, NameSource::kHttpHost);
    name.name = clean_name(host);
    const bool is_name = std::any_of(name.name.begin(), name.name.end(),
                                     [](char c) { return c >= 'a' && c <= 'z'; });
    if (is_name) on_name(std::move(name));
    return;
  }
}

bool NameNews::is_news(const SeenName& name) {
  const Key key{name.actor.id, name.name, name.source, !name.addresses.empty()};
  constexpr std::uint64_t kAgain =
      std::chrono::duration_cast<std::chrono::nanoseconds>(kTellAgain).count();
  const BootTime* told = told_.find(key);
  if (told != nullptr && name.time.nanoseconds < told->nanoseconds + kAgain) {
    ++held_back_;
    return false;
  }
  told_.put(key, name.time);
  return true;
}

}  // namespace aispm::sensor
