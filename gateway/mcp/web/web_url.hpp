// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <cstdint>
#include <string>
#include <string_view>

#include "gateway/mcp/web/web_config.hpp"
#include "sdk/core/common/result.hpp"

// Addresses of pages, read in one way only: what is checked is what is asked. Pure.
namespace aispm::gateway {

inline constexpr std::size_t kMaxWebUrl = 2048;

struct WebUrl {
  bool tls = true;
  std::string host;  // lower case; IPv6 with brackets
  std::uint16_t port = 443;
  std::string target;  // path and query, visible ASCII

  std::string origin() const;  // "https://host", with the port where it is not the scheme's own
  std::string text() const { return origin() + target; }
};

// kInvalid: no http or https URL, with a user in it, with bytes that a host has not, too long.
Result<WebUrl> parse_web_url(std::string_view text);
// What a redirect from there means.
Result<WebUrl> resolve_web_url(const WebUrl& from, std::string_view location);
// The same site: as the other but for "www." and from http to https.
bool is_same_site(const WebUrl& from, const WebUrl& to);

// kDenied: the configuration does not let agents read there. Ports are 80 and 443, others only
// where `private_hosts` names them.
Result<> check_web_host(const FetchConfig& config, const WebUrl& url);
bool may_be_private(const FetchConfig& config, const WebUrl& url);

}  // namespace aispm::gateway
