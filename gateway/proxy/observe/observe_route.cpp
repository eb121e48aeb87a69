// SPDX-License-Identifier: Apache-2.0
#include "gateway/proxy/observe/observe_route.hpp"

#include "gateway/proxy/observe/api_document.hpp"
#include "gateway/proxy/observe/readiness.hpp"

namespace aispm::gateway {

using codec::http1::Head;
using net::Task;

namespace {

std::string whole_reply(std::string_view status, std::string_view type, std::string_view body,
                        bool keep) {
  std::string reply = "HTTP/1.1 ";
  reply.append(status).append("\r\ncontent-type: ").append(type);
  reply.append(
      "\r\nx-content-type-options: nosniff\r\ncontent-security-policy: default-src 'none'; "
      "style-src 'unsafe-inline'\r\ncontent-length: ");
  reply.append(std::to_string(body.size()))
      .append(keep ? "\r\nconnection: keep-alive\r\n\r\n" : "\r\nconnection: close\r\n\r\n")
      .append(body);
  return reply;
}

std::string answer(const Services& services, RouteKind kind, bool keep) {
  constexpr std::string_view kJson = "application/json";
  if (kind == RouteKind::kApiDocument)
    return whole_reply("200 OK", kJson, openapi_document(), keep);
  if (kind == RouteKind::kApiPage) return whole_reply("200 OK", kHtmlType, api_page(), keep);
  if (kind == RouteKind::kLive) return whole_reply("200 OK", kJson, R"({"live":true})", keep);
  const Readiness readiness = find_readiness(services);
  return whole_reply(readiness.is_ready ? "200 OK" : "503 Service Unavailable", kJson,
                     readiness.to_json(false), keep);
}

}  // namespace

Task<bool> serve_observation(Client& client, Head head, RouteKind kind) {
  const bool keep = head.keep_alive && head.body == codec::http1::BodyKind::kNone;
  client.input().consume(head.size_bytes);
  const std::string reply = answer(client.worker().services(), kind, keep);
  AISPM_CO_CHECK(co_await client.send(reply));
  co_return keep;
}

}  // namespace aispm::gateway
