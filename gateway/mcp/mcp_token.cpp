// SPDX-License-Identifier: Apache-2.0
#include "gateway/mcp/mcp_token.hpp"

#include <algorithm>

#include "gateway/proxy/decide/jwt.hpp"
#include "sdk/core/codec/json_edit.hpp"

namespace aispm::gateway {

using codec::json_string;

namespace {

constexpr std::size_t kMaxAgentBytes = 256;

auto denied(const std::string& why) { return fail(Errc::kDenied, "access token: " + why); }

std::string json_list(const std::vector<std::string>& texts) {
  std::string json = "[";
  for (const std::string& text : texts) json += (json.size() > 1 ? "," : "") + json_string(text);
  return json + "]";
}

Result<> check_times(const boost::json::object& claims, WallTime now) {
  const std::int64_t seconds = now.nanoseconds / 1'000'000'000;
  const auto expires = number_claim(claims, "exp");
  if (!expires || *expires <= seconds) return denied("has expired, or never does");
  const auto begins = number_claim(claims, "nbf");
  if (claims.contains("nbf") && (!begins || *begins > seconds + kClockSkewSeconds))
    return denied("is not good yet");
  return {};
}

}  // namespace

Result<std::string> check_mcp_token(const McpAuthorization& config, std::string_view token,
                                    WallTime now) {
  const auto claims = read_jwt(token, config.keys);
  if (!claims) return denied(claims.error().message);
  AISPM_CHECK(check_times(*claims, now));
  const std::string_view issuer = text_claim(*claims, "iss");
  if (std::find(config.servers.begin(), config.servers.end(), issuer) == config.servers.end())
    return denied("has another issuer");
  if (!claims_one(*claims, "aud", config.resource)) return denied("is for another audience");
  const std::string_view agent = text_claim(*claims, config.agent.c_str());
  const bool is_visible =
      std::all_of(agent.begin(), agent.end(), [](char c) { return c > ' ' && c < '\x7f'; });
  if (agent.empty() || agent.size() > kMaxAgentBytes || !is_visible)
    return denied("names no agent in " + config.agent);
  return std::string(agent);
}

std::string describe_resource(const McpAuthorization& config) {
  std::string json = "{\"resource\":" + json_string(config.resource) +
                     ",\"authorization_servers\":" + json_list(config.servers);
  if (!config.scopes.empty()) json += ",\"scopes_supported\":" + json_list(config.scopes);
  return json + ",\"bearer_methods_supported\":[\"header\"]}";
}

std::string challenge_for(const McpAuthorization& config, bool showed_token) {
  const auto path = config.resource.find('/', config.resource.find("://") + 3);
  std::string value = "Bearer resource_metadata=\"" + config.resource.substr(0, path) +
                      std::string(kMetadataPath) + config.resource.substr(path) + "\"";
  if (showed_token) value += ", error=\"invalid_token\"";
  if (config.scopes.empty()) return value;
  value += ", scope=\"";
  for (std::size_t i = 0; i < config.scopes.size(); ++i)
    value += (i == 0 ? "" : " ") + config.scopes[i];
  return value + "\"";
}

}  // namespace aispm::gateway
