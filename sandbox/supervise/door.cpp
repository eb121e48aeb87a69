// SPDX-License-Identifier: Apache-2.0
#include "sandbox/supervise/door.hpp"

#include <algorithm>
#include <optional>

#include "sandbox/model/plan.hpp"
#include "sandbox/supervise/event_json.hpp"
#include "sdk/core/codec/http1.hpp"
#include "sdk/core/codec/tls_hello.hpp"

namespace aispm::sandbox {
namespace {

using codec::http1::Head;
using Ask = Knock::Ask;

constexpr std::size_t kMaxMethodBytes = 32;
constexpr std::string_view kDeniedHeader = "\r\naispm-denied: ";

Knock refused(std::string reason, HostPort host = {}, int status = 403) {
  return {Ask::kRefused, std::move(host), status, std::move(reason)};
}

bool is_gateway_host(const DoorPolicy& policy, const std::string& name) {
  return std::find(policy.gateway_hosts.begin(), policy.gateway_hosts.end(), name) !=
         policy.gateway_hosts.end();
}

// The agent's own way to the gateway, as a proxy-minded client writes it.
bool is_proxy_address(std::string_view authority) {
  const std::string port = ":" + std::to_string(kProxyPort);
  return authority == "127.0.0.1" + port || authority == "localhost" + port;
}

Knock allow_or_refuse(HostPort host, const DoorPolicy& policy) {
  if (is_allowed(policy.allow, host)) return {Ask::kHost, std::move(host), 200, ""};
  if (!policy.is_online) return refused("there is no network in this sandbox", std::move(host));
  return refused(
      "not an allowed host; profile " + policy.profile + " names them under network.allow_hosts",
      std::move(host));
}

Knock decide_connect(const Head& head, const DoorPolicy& policy) {
  auto host = parse_authority(head.target, 0);
  if (!host) return refused(host.error().message);
  if (head.body != codec::http1::BodyKind::kNone)
    return refused("CONNECT with a body", std::move(*host), 400);
  if (!head.host.empty()) {
    const auto said = parse_authority(head.host, host->port);
    if (!said || *said != *host)
      return refused("Host is not the host of CONNECT", std::move(*host), 400);
  }
  if (is_gateway_host(policy, host->name))
    return refused(
        "models are reached at the gateway, not through a tunnel: use the base URL in "
        "the environment (OPENAI_BASE_URL, ANTHROPIC_BASE_URL, ...)",
        std::move(*host));
  return allow_or_refuse(std::move(*host), policy);
}

// "http://host[:port]/...".
Knock decide_absolute(const Head& head, const DoorPolicy& policy) {
  constexpr std::string_view kScheme = "http://";
  if (!head.target.starts_with(kScheme))
    return refused("only http:// may be asked of a proxy; https goes through CONNECT", {}, 400);
  const std::string_view rest = head.target.substr(kScheme.size());
  const std::string_view authority = rest.substr(0, rest.find('/'));
  if (is_proxy_address(authority)) return {Ask::kGateway, {}, 200, ""};
  auto host = parse_authority(authority, 80);
  if (!host) return refused(host.error().message);
  const auto said = parse_authority(head.host, 80);
  if (!said || *said != *host)
    return refused("Host is not the host of the request's address", std::move(*host), 400);
  if (is_gateway_host(policy, host->name)) return {Ask::kGateway, std::move(*host), 200, ""};
  return allow_or_refuse(std::move(*host), policy);
}

// Nothing: more bytes are needed. An error: it is no request that may be answered but with 400.
Result<std::optional<Head>> parse_head(codec::http1::HeadParser& parser, std::string_view first) {
  if (first.empty()) return std::optional<Head>();
  // Another protocol may never send the line end that the parser waits for.
  if (first.front() < 'A' || first.front() > 'Z') return fail(Errc::kInvalid, "no method");
  return parser.parse(first);
}

// A request for the gateway begins "METHOD /"; only what looks otherwise is read to its end here.
bool is_for_the_gateway(std::string_view first) {
  const auto space = first.substr(0, kMaxMethodBytes + 1).find(' ');
  if (space == std::string_view::npos) return first.size() > kMaxMethodBytes;
  return space + 1 < first.size() && (first[space + 1] == '/' || first[space + 1] == '*');
}

Knock decide_proxy(std::string_view first, const DoorPolicy& policy) {
  if (is_for_the_gateway(first)) return {Ask::kGateway, {}, 200, ""};
  codec::http1::HeadParser parser(codec::http1::HeadParser::Role::kRequest);
  const auto head = parse_head(parser, first);
  if (!head) return refused("not a request: " + head.error().message, {}, 400);
  if (!*head) return {};
  return (*head)->method == "CONNECT" ? decide_connect(**head, policy)
                                      : decide_absolute(**head, policy);
}

Knock decide_plain(const std::string& name, std::string_view first, const DoorPolicy& policy) {
  const HostPort wanted{name, 80};
  codec::http1::HeadParser parser(codec::http1::HeadParser::Role::kRequest);
  const auto head = parse_head(parser, first);
  if (!head) return refused("not an HTTP request: " + head.error().message, wanted, 400);
  if (!*head) return {};
  if (!(*head)->target.starts_with('/'))
    return refused("the request's address is no path", wanted, 400);
  const auto host = parse_authority((*head)->host, 80);
  if (!host) return refused("Host: " + host.error().message, wanted, 400);
  if (host->name != name || host->port != 80)
    return refused("Host names another host than was connected to", wanted, 400);
  if (policy.is_online && is_gateway_host(policy, name)) return {Ask::kGateway, wanted, 200, ""};
  return allow_or_refuse(wanted, policy);
}

Knock decide_tls(const std::string& name, std::string_view first, const DoorPolicy& policy) {
  using State = codec::HelloParse::State;
  const HostPort wanted{name, 443};
  const codec::HelloParse hello = codec::parse_hello_records(first);
  if (hello.state == State::kPart && first.size() <= codec::kMaxHelloBytes + 1024) return {};
  if (hello.state != State::kWhole) return refused("not a TLS ClientHello", wanted);
  if (hello.facts.encrypted_hello)
    return refused("the ClientHello hides its server name (ECH)", wanted);
  if (hello.facts.server_names > 1)
    return refused("the ClientHello has more than one server name", wanted);
  if (hello.facts.server_name.empty()) return refused("the ClientHello has no server name", wanted);
  if (hello.facts.server_name != name)
    return refused(
        "the ClientHello names " + hello.facts.server_name + ", another host than was connected to",
        wanted);
  if (policy.is_online && is_gateway_host(policy, name))
    return refused("models are reached at the gateway: use the base URL in the environment",
                   wanted);
  return allow_or_refuse(wanted, policy);
}

// Of the reason phrase and a header: no line end, no control byte.
std::string one_line(std::string text) {
  for (char& c : text)
    if (static_cast<unsigned char>(c) < 0x20 || static_cast<unsigned char>(c) > 0x7e) c = '?';
  return text;
}

std::string explain(const Knock& knock) {
  if (knock.host.name.empty()) return "AISPM sandbox: " + knock.reason;
  return "AISPM sandbox: " + knock.host.name + ":" + std::to_string(knock.host.port) +
         " is refused: " + knock.reason;
}

}  // namespace

Knock decide(Door door, const std::string& name, std::string_view first, const DoorPolicy& policy) {
  if (door == Door::kTls) return decide_tls(name, first, policy);
  return door == Door::kPlain ? decide_plain(name, first, policy) : decide_proxy(first, policy);
}

std::string refusal_bytes(Door door, const Knock& knock) {
  // RFC 8446 section 6: alert record, fatal, access_denied (49).
  if (door == Door::kTls) return std::string("\x15\x03\x03\x00\x02\x02\x31", 7);
  const std::string text = one_line(explain(knock));
  const std::string body =
      "{\"error\":{\"message\":" + json_text(text) +
      ",\"type\":\"sandbox_refused\",\"code\":\"sandbox_refused\"" +
      (knock.host.name.empty() ? std::string()
                               : ",\"host\":" + json_text(knock.host.name) +
                                     ",\"port\":" + std::to_string(knock.host.port)) +
      "}}\n";
  return "HTTP/1.1 " + std::to_string(knock.status) + " " + text +
         "\r\nAISPM-Denied: " + one_line(knock.reason) +
         "\r\nContent-Type: application/json\r\nX-Should-Retry: false\r\nConnection: "
         "close\r\nContent-Length: " +
         std::to_string(body.size()) + "\r\n\r\n" + body;
}

ReplyHead read_reply_head(std::string_view head) {
  ReplyHead reply;
  if (head.size() < 12 || !head.starts_with("HTTP/1.")) return reply;
  for (const char c : head.substr(9, 3)) {
    if (c < '0' || c > '9') return {};
    reply.status = reply.status * 10 + (c - '0');
  }
  if (const auto at = head.find(kDeniedHeader); at != std::string_view::npos) {
    const std::string_view rest = head.substr(at + kDeniedHeader.size());
    reply.denied = rest.substr(0, rest.find('\r'));
  }
  return reply;
}

}  // namespace aispm::sandbox
