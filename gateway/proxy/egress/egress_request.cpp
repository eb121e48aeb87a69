// SPDX-License-Identifier: Apache-2.0
#include "gateway/proxy/egress/egress_request.hpp"

#include <algorithm>
#include <array>

#include "sdk/core/codec/json_edit.hpp"
#include "sdk/core/codec/tls_hello.hpp"

namespace aispm::gateway {

using codec::http1::equal_name;
using codec::http1::Head;

namespace {

constexpr std::string_view kScheme = "http://";

// RFC 9110 section 7.6.1, and what frames or names the message.
constexpr std::array<std::string_view, 13> kHopByHop = {
    "connection",     "proxy-connection",    "keep-alive",        "te",   "trailer",
    "upgrade",        "transfer-encoding",   "content-length",    "host", "expect",
    "http2-settings", "proxy-authorization", "proxy-authenticate"};

std::string authority_of(const HostPort& host, std::uint16_t own_port) {
  return host.port == own_port ? host.name : host.name + ":" + std::to_string(host.port);
}

// Whether a Connection header nominates this one as its own.
bool is_nominated(const Head& head, std::string_view name) {
  for (const auto& header : head.headers) {
    if (!equal_name(header.name, "connection")) continue;
    std::string_view rest = header.value;
    while (!rest.empty()) {
      const auto comma = std::min(rest.find(','), rest.size());
      std::string_view option = rest.substr(0, comma);
      rest.remove_prefix(std::min(comma + 1, rest.size()));
      while (!option.empty() && (option.front() == ' ' || option.front() == '\t'))
        option.remove_prefix(1);
      while (!option.empty() && (option.back() == ' ' || option.back() == '\t'))
        option.remove_suffix(1);
      if (equal_name(option, name)) return true;
    }
  }
  return false;
}

void append_end_to_end(const Head& head, std::string& out) {
  for (const auto& header : head.headers) {
    const bool is_hop = std::any_of(kHopByHop.begin(), kHopByHop.end(), [&](std::string_view hop) {
      return equal_name(header.name, hop);
    });
    if (is_hop || is_nominated(head, header.name)) continue;
    out.append(header.name).append(": ").append(header.value).append("\r\n");
  }
}

// The path of "http://host/path" or "/path".
std::string_view path_of(std::string_view target) {
  if (!target.starts_with(kScheme)) return target;
  const auto slash = target.find('/', kScheme.size());
  return slash == std::string_view::npos ? std::string_view("/") : target.substr(slash);
}

std::string one_line(std::string_view text) {
  std::string line(text);
  for (char& c : line)
    if (static_cast<unsigned char>(c) < 0x20 || static_cast<unsigned char>(c) > 0x7e) c = '?';
  return line;
}

}  // namespace

bool is_proxy_request(const Head& head) {
  return head.method == "CONNECT" || !(head.target.starts_with('/') || head.target == "*");
}

Result<> check_request(const Head& head, const HostPort& announced) {
  const auto differs = [](const char* what) {
    return fail(Errc::kInvalid, std::string(what) + " is not the host that was announced");
  };
  if (head.method == "TRACE") return fail(Errc::kInvalid, "TRACE is not carried");
  if (!head.upgrade.empty()) return fail(Errc::kInvalid, "upgrades are not carried");
  if (head.method == "CONNECT") {
    const auto target = parse_authority(head.target, 0);
    if (!target || *target != announced) return differs("the request's target");
    if (head.body != codec::http1::BodyKind::kNone)
      return fail(Errc::kInvalid, "CONNECT with a body");
    if (head.host.empty()) return {};
    const auto host = parse_authority(head.host, announced.port);
    if (!host || *host != announced) return differs("Host");
    return {};
  }
  if (head.target.starts_with(kScheme)) {
    const std::string_view rest = head.target.substr(kScheme.size());
    const auto target = parse_authority(rest.substr(0, rest.find('/')), 80);
    if (!target || *target != announced) return differs("the request's target");
  } else if (!head.target.starts_with('/')) {
    return fail(Errc::kInvalid, "the request's target is no path");
  }
  if (head.target.find('#') != std::string_view::npos)
    return fail(Errc::kInvalid, "the request's target has a fragment");
  const auto host = parse_authority(head.host, 80);
  if (!host || *host != announced) return differs("Host");
  return {};
}

std::string forward_head(const Head& head, const HostPort& host) {
  std::string out(head.method);
  out.append(" ").append(path_of(head.target)).append(" HTTP/1.1\r\nHost: ");
  out += authority_of(host, 80) + "\r\nConnection: close\r\n";
  append_end_to_end(head, out);
  return out;
}

std::string reply_head(const Head& head) {
  std::string out = "HTTP/1.1 " + std::to_string(head.status) + " ";
  out.append(head.reason).append("\r\nConnection: close\r\n");
  append_end_to_end(head, out);
  return out;
}

HelloCheck check_hello(std::string_view bytes, const HostPort& host) {
  using State = HelloCheck::State;
  const codec::HelloParse hello = codec::parse_hello_records(bytes);
  if (hello.state == codec::HelloParse::State::kPart) {
    if (bytes.size() <= codec::kMaxHelloBytes + 1024) return {};
    return {State::kBad, "the TLS ClientHello is too long"};
  }
  if (hello.state != codec::HelloParse::State::kWhole)
    return {State::kBad, "what follows is not a TLS ClientHello"};
  if (hello.facts.encrypted_hello)
    return {State::kBad, "the ClientHello hides its server name (ECH)"};
  if (hello.facts.server_names != 1 || hello.facts.server_name != host.name)
    return {State::kBad,
            "the ClientHello names " + (hello.facts.server_name.empty() ? std::string("nobody")
                                                                        : hello.facts.server_name)};
  return {State::kGood, ""};
}

std::string egress_refusal(int status, const HostPort& host, std::string_view reason,
                           bool is_denied) {
  const std::string text =
      one_line("AISPM gateway: " + host.name + ":" + std::to_string(host.port) +
               (is_denied ? " is refused: " : " cannot be reached: ") + std::string(reason));
  const std::string code = is_denied ? "egress_refused" : "egress_failed";
  const std::string body = "{\"error\":{\"message\":" + codec::json_string(text) + ",\"type\":\"" +
                           code + "\",\"code\":\"" + code +
                           "\",\"host\":" + codec::json_string(host.name) +
                           ",\"port\":" + std::to_string(host.port) + "}}\n";
  std::string reply = "HTTP/1.1 " + std::to_string(status) + " " + text + "\r\n";
  if (is_denied) reply += "aispm-denied: " + one_line(reason) + "\r\nX-Should-Retry: false\r\n";
  return reply + "Content-Type: application/json\r\nConnection: close\r\nContent-Length: " +
         std::to_string(body.size()) + "\r\n\r\n" + body;
}

}  // namespace aispm::gateway
