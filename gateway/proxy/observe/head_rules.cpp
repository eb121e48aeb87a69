// SPDX-License-Identifier: Apache-2.0
#include "gateway/proxy/observe/head_rules.hpp"

#include <algorithm>

#include "gateway/net/proxy_header.hpp"
#include "gateway/proxy/header_policy.hpp"
#include "sdk/core/common/crypto.hpp"

namespace aispm::gateway {

using codec::http1::equal_name;
using codec::http1::Head;

namespace {

constexpr std::size_t kMaxCorrelationBytes = 128;
constexpr std::size_t kMaxRequestedHeaderBytes = 2048;
constexpr std::string_view kExposed =
    "access-control-expose-headers: x-correlation-id, x-request-id, request-id, x-aispm-decision, "
    "x-aispm-case, x-aispm-provider, x-aispm-cache, x-aispm-session, x-ratelimit-limit, "
    "x-ratelimit-remaining, x-ratelimit-reset, x-should-retry, retry-after\r\n";

bool is_letter_or_digit(char c) {
  return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9');
}

// It is told to providers unscanned, so it must be a short plain word.
bool is_correlation(std::string_view text) {
  return !text.empty() && text.size() <= kMaxCorrelationBytes &&
         std::all_of(text.begin(), text.end(), [](char c) {
           return is_letter_or_digit(c) ||
                  std::string_view("._:+/=@-").find(c) != std::string_view::npos;
         });
}

bool is_name_list(std::string_view text) {
  return text.size() <= kMaxRequestedHeaderBytes &&
         std::all_of(text.begin(), text.end(), [](char c) {
           return is_letter_or_digit(c) || c == '-' || c == '_' || c == ',' || c == ' ';
         });
}

const CorsConfig& cors_of(Client& client) { return client.worker().services().config.observe.cors; }

bool is_allowed(const CorsConfig& cors, std::string_view origin) {
  return std::find(cors.origins.begin(), cors.origins.end(), origin) != cors.origins.end();
}

// Nothing: the key, if there is one, is of that tenant.
std::optional<Refusal> check_tenant(Client& client, const Head& head,
                                    std::optional<std::string_view> said) {
  Services& services = client.worker().services();
  std::string tenant = client.caller.tenant;
  if (client.entrance == Entrance::kKeyed) {
    const auto identity = services.keys.find(presented_key(head));
    if (!identity) return std::nullopt;  // whatever needs a key refuses it for that
    tenant = identity->tenant;
  } else if (!said) {
    return std::nullopt;  // the kernel says who it is
  }
  if (!said)
    return make_refusal(RefusalKind::kForbidden,
                        "the header X-Tenant-ID is needed: the tenant that this key is of");
  if (*said == tenant) return std::nullopt;
  return make_refusal(RefusalKind::kForbidden, "X-Tenant-ID is not the tenant of this key");
}

}  // namespace

std::optional<Refusal> take_own_headers(Client& client, const Head& head) {
  client.correlation.clear();
  client.reply_lines.clear();
  std::optional<std::string_view> tenant;
  std::string_view origin;
  std::string_view correlation;
  std::string_view session;
  if (const std::string_view name = find_doubled_identity(head); !name.empty())
    return make_refusal(RefusalKind::kBadRequest, std::string(name) + " is given twice");
  for (const codec::http1::Header& header : head.headers) {
    switch (header.name.size()) {
      case 6:
        if (equal_name(header.name, "origin")) origin = header.value;
        break;
      case 11:
        if (equal_name(header.name, "x-tenant-id")) {
          // Two would let each reader choose another.
          if (tenant && *tenant != header.value)
            return make_refusal(RefusalKind::kBadRequest, "X-Tenant-ID is given twice");
          tenant = header.value;
        }
        break;
      case 15:
        if (equal_name(header.name, "x-aispm-session")) session = header.value;
        break;
      case 16:
        if (equal_name(header.name, "x-correlation-id")) correlation = header.value;
        break;
      default:
        break;
    }
  }
  if (!origin.empty() && is_allowed(cors_of(client), origin))
    client.reply_lines.append("access-control-allow-origin: ")
        .append(origin)
        .append("\r\nvary: origin\r\n")
        .append(kExposed);
  if (!correlation.empty()) {
    if (!is_correlation(correlation))
      return make_refusal(RefusalKind::kBadRequest,
                          "X-Correlation-ID: 1 to 128 of A-Z a-z 0-9 . _ : + / = @ -");
    client.correlation = correlation;
    client.reply_lines.append("x-correlation-id: ").append(correlation).append("\r\n");
  }
  // Clients have sessions of their own kinds: theirs are no error, but they are told.
  if (!session.empty() && client.entrance == Entrance::kKeyed && !net::is_uuid(session))
    client.reply_lines += "x-aispm-session: ignored, is no UUID\r\n";
  if (!tenant && !client.worker().services().config.observe.tenant_header) return std::nullopt;
  return check_tenant(client, head, tenant);
}

bool is_preflight(Client& client, const Head& head) {
  return head.method == "OPTIONS" && !cors_of(client).origins.empty() && head.find("origin") &&
         head.find("access-control-request-method");
}

net::Task<bool> serve_preflight(Client& client, Head head) {
  const bool keep = head.keep_alive && head.body == codec::http1::BodyKind::kNone;
  const CorsConfig& cors = cors_of(client);
  const std::string origin(head.find("origin").value_or(std::string_view{}));
  const std::string wanted(
      head.find("access-control-request-headers").value_or(std::string_view{}));
  client.input().consume(head.size_bytes);
  if (!is_allowed(cors, origin) || !is_name_list(wanted)) {
    const Refusal refusal = make_refusal(
        RefusalKind::kForbidden,
        "this origin may not read replies; `observe: cors: origins:` names those that may");
    AISPM_CO_CHECK(co_await client.refuse(Dialect::kOpenAi, refusal, keep));
    co_return keep;
  }
  // The origin and what is exposed stand in client.reply_lines.
  std::string reply =
      "HTTP/1.1 204 No Content\r\naccess-control-allow-methods: GET, POST, DELETE\r\n";
  if (!wanted.empty()) reply.append("access-control-allow-headers: ").append(wanted).append("\r\n");
  reply.append("access-control-max-age: ")
      .append(std::to_string(cors.max_age.count()))
      .append(keep ? "\r\nconnection: keep-alive\r\n\r\n" : "\r\nconnection: close\r\n\r\n");
  AISPM_CO_CHECK(co_await client.send(reply));
  co_return keep;
}

std::string trace_of_correlation(std::string_view correlation) {
  std::string digits;
  for (const char c : correlation)
    if (c != '-') digits.push_back(c >= 'A' && c <= 'F' ? static_cast<char>(c - 'A' + 'a') : c);
  const bool is_uuid = net::is_uuid(correlation);
  if ((is_uuid || digits.size() == correlation.size()) && net::is_trace_id(digits)) return digits;
  return sha256_hex(correlation).substr(0, 32);
}

}  // namespace aispm::gateway
