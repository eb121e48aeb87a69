// SPDX-License-Identifier: Apache-2.0
#include "sdk/core/common/host_rule.hpp"

#include <algorithm>
#include <charconv>

namespace aispm {
namespace {

constexpr std::size_t kMaxNameBytes = 253;  // RFC 1035
constexpr std::size_t kMaxLabelBytes = 63;

bool is_letter(char c) { return c >= 'a' && c <= 'z'; }
bool is_digit(char c) { return c >= '0' && c <= '9'; }

bool is_label(std::string_view label) {
  if (label.empty() || label.size() > kMaxLabelBytes) return false;
  if (label.front() == '-' || label.back() == '-') return false;
  return std::all_of(label.begin(), label.end(),
                     [](char c) { return is_letter(c) || is_digit(c) || c == '-' || c == '_'; });
}

std::string lower(std::string_view text) {
  std::string result(text);
  for (char& c : result)
    if (c >= 'A' && c <= 'Z') c = static_cast<char>(c - 'A' + 'a');
  return result;
}

// 1 to 65535 in plain digits; 0 when it is not.
std::uint16_t parse_port(std::string_view text) {
  std::uint16_t port = 0;
  const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), port);
  const bool is_plain = error == std::errc{} && end == text.data() + text.size() && text[0] != '0';
  return is_plain ? port : 0;
}

bool lies_below(std::string_view name, std::string_view parent) {
  return name.size() > parent.size() + 1 && name.ends_with(parent) &&
         name[name.size() - parent.size() - 1] == '.';
}

}  // namespace

bool is_host_name(std::string_view text) {
  if (text.empty() || text.size() > kMaxNameBytes) return false;
  std::size_t labels = 0;
  std::string_view label;
  while (true) {
    const auto dot = text.find('.');
    label = text.substr(0, dot);
    if (!is_label(label)) return false;
    ++labels;
    if (dot == std::string_view::npos) break;
    text.remove_prefix(dot + 1);
  }
  return labels >= 2 && is_letter(label.front());
}

Result<HostPort> parse_authority(std::string_view text, std::uint16_t default_port) {
  const auto bad = [&](const char* why) {
    return fail(Errc::kInvalid, "'" + std::string(text.substr(0, 300)) + "' " + why);
  };
  const auto colon = text.find(':');
  const std::string_view name = text.substr(0, colon);
  HostPort host{lower(name), default_port};
  if (name.ends_with('.')) return bad("ends with a dot; leave it out");
  if (!is_host_name(host.name))
    return bad("is no host name (addresses, user names and single labels are not accepted)");
  if (colon != std::string_view::npos) host.port = parse_port(text.substr(colon + 1));
  if (host.port == 0) return bad("has no port from 1 to 65535");
  return host;
}

Result<HostRule> parse_host_rule(std::string_view text) {
  HostRule rule;
  rule.is_wildcard = text.starts_with("*.");
  auto host = parse_authority(rule.is_wildcard ? text.substr(2) : text, 443);
  if (!host)
    return fail(Errc::kInvalid,
                host.error().message + "; allowed: host.example, host.example:8443, *.example.com");
  rule.name = std::move(host->name);
  rule.port = host->port;
  return rule;
}

std::string to_text(const HostRule& rule) {
  return (rule.is_wildcard ? "*." : "") + rule.name + ":" + std::to_string(rule.port);
}

bool matches(const HostRule& rule, const HostPort& host) {
  if (rule.port != host.port) return false;
  return rule.is_wildcard ? lies_below(host.name, rule.name) : rule.name == host.name;
}

bool is_allowed(const std::vector<HostRule>& rules, const HostPort& host) {
  return std::any_of(rules.begin(), rules.end(),
                     [&](const HostRule& rule) { return matches(rule, host); });
}

bool is_covered(const std::vector<HostRule>& rules, const HostRule& rule) {
  return std::any_of(rules.begin(), rules.end(), [&](const HostRule& other) {
    if (other == rule) return true;
    return other.is_wildcard && other.port == rule.port &&
           (lies_below(rule.name, other.name) || (rule.is_wildcard && rule.name == other.name));
  });
}

}  // namespace aispm
