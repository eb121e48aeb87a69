// SPDX-License-Identifier: Apache-2.0
#include "gateway/mcp/web/web_url.hpp"

#include <algorithm>
#include <charconv>

#include "sdk/core/policy/glob.hpp"

namespace aispm::gateway {
namespace {

char lower(char c) { return c >= 'A' && c <= 'Z' ? static_cast<char>(c - 'A' + 'a') : c; }

std::string lower(std::string_view text) {
  std::string low(text);
  for (char& c : low) c = lower(c);
  return low;
}

bool is_host_letter(char c) {
  return (c >= 'a' && c <= 'z') || (c >= '0' && c <= '9') || c == '.' || c == '-' || c == '_';
}

bool is_host(std::string_view host) {
  if (host.starts_with('[') && host.ends_with(']') && host.size() > 2)
    return std::all_of(host.begin() + 1, host.end() - 1, [](char c) {
      return (c >= 'a' && c <= 'f') || (c >= '0' && c <= '9') || c == ':' || c == '.';
    });
  return !host.empty() && host.size() <= 253 &&
         std::all_of(host.begin(), host.end(), is_host_letter);
}

// What no request line can carry is written as its bytes.
std::string encode_target(std::string_view target) {
  constexpr std::string_view kHex = "0123456789ABCDEF";
  std::string encoded;
  for (const char c : target) {
    const auto byte = static_cast<unsigned char>(c);
    if (byte > ' ' && byte < 0x7f && c != '"' && c != '<' && c != '>') {
      encoded += c;
    } else {
      encoded.append({'%', kHex[byte >> 4], kHex[byte & 15]});
    }
  }
  return encoded;
}

// "https://" and what follows; false: neither that nor http.
bool read_scheme(std::string_view& rest, bool& tls) {
  const std::string begin = lower(rest.substr(0, 8));
  tls = begin == "https://";
  if (!tls && !begin.starts_with("http://")) return false;
  rest.remove_prefix(tls ? 8 : 7);
  return true;
}

std::string_view without_www(std::string_view host) {
  if (host.starts_with("www.")) host.remove_prefix(4);
  return host;
}

bool matches_any(const std::vector<std::string>& globs, std::string_view host) {
  return std::any_of(globs.begin(), globs.end(),
                     [&](const std::string& glob) { return policy::glob_matches(glob, host); });
}

}  // namespace

std::string WebUrl::origin() const {
  std::string text = (tls ? "https://" : "http://") + host;
  if (port != (tls ? 443 : 80)) text += ":" + std::to_string(port);
  return text;
}

Result<WebUrl> parse_web_url(std::string_view text) {
  const auto bad = [](const char* why) {
    return fail(Errc::kInvalid, std::string("the URL ") + why);
  };
  if (text.size() > kMaxWebUrl) return bad("is longer than 2048 bytes");
  if (std::any_of(text.begin(), text.end(),
                  [](char c) { return static_cast<unsigned char>(c) < ' ' || c == '\\'; }))
    return bad("has letters that no URL has");
  WebUrl url;
  std::string_view rest = text.substr(0, text.find('#'));
  if (!read_scheme(rest, url.tls)) return bad("does not begin with https:// or http://");
  const std::size_t end = std::min(rest.find_first_of("/?"), rest.size());
  const std::string authority = lower(rest.substr(0, end));
  const std::string_view target = rest.substr(end);
  if (authority.find('@') != std::string::npos) return bad("names a user");
  const std::size_t bracket = authority.find(']');
  const std::size_t colon = authority.find(':', bracket == std::string::npos ? 0 : bracket);
  url.host = authority.substr(0, colon);
  url.port = url.tls ? 443 : 80;
  if (!is_host(url.host)) return bad("has no host that can be asked");
  if (colon != std::string::npos) {
    const char* const last = authority.data() + authority.size();
    const auto [read, error] = std::from_chars(authority.data() + colon + 1, last, url.port);
    if (error != std::errc{} || read != last || url.port == 0) return bad("has no good port");
  }
  url.target = (target.starts_with('/') ? "" : "/") + encode_target(target);
  return url;
}

Result<WebUrl> resolve_web_url(const WebUrl& from, std::string_view location) {
  std::string_view rest = location;
  bool tls = false;
  if (read_scheme(rest, tls)) return parse_web_url(location);
  if (location.starts_with("//"))
    return parse_web_url((from.tls ? "https:" : "http:") + std::string(location));
  const std::size_t colon = location.find(':');
  if (colon < location.find_first_of("/?#"))
    return fail(Errc::kInvalid, "the URL does not begin with https:// or http://");
  if (location.starts_with('/')) return parse_web_url(from.origin() + std::string(location));
  const std::string path = from.target.substr(0, from.target.find('?'));
  if (location.empty() || location.starts_with('?') || location.starts_with('#'))
    return parse_web_url(from.origin() + path + std::string(location));
  return parse_web_url(from.origin() + path.substr(0, path.rfind('/') + 1) + std::string(location));
}

bool is_same_site(const WebUrl& from, const WebUrl& to) {
  if (without_www(from.host) != without_www(to.host)) return false;
  if (from.tls == to.tls) return from.port == to.port;
  return to.tls && from.port == 80 && to.port == 443;
}

bool may_be_private(const FetchConfig& config, const WebUrl& url) {
  const std::string place = url.host + ":" + std::to_string(url.port);
  return std::find(config.private_hosts.begin(), config.private_hosts.end(), place) !=
         config.private_hosts.end();
}

Result<> check_web_host(const FetchConfig& config, const WebUrl& url) {
  if (matches_any(config.deny_hosts, url.host))
    return fail(Errc::kDenied, "pages of " + url.host + " may not be read");
  if (may_be_private(config, url)) return {};
  if (!config.hosts.empty() && !matches_any(config.hosts, url.host))
    return fail(Errc::kDenied, "pages of " + url.host + " may not be read");
  if (url.port != 80 && url.port != 443)
    return fail(Errc::kDenied, "pages at port " + std::to_string(url.port) + " may not be read");
  return {};
}

}  // namespace aispm::gateway
