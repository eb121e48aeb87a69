// SPDX-License-Identifier: Apache-2.0
#include "sdk/core/policy/tool_egress.hpp"

#include <algorithm>
#include <array>

#include "sdk/core/policy/action_rule.hpp"
#include "sdk/core/policy/mail_recipients.hpp"
#include "sdk/core/policy/policy_text.hpp"
#include "sdk/core/policy/strictness.hpp"
#include "sdk/core/policy/web_scheme.hpp"

namespace aispm::policy {
namespace {

constexpr std::string_view kUnreadable =
    "The destination cannot be read, so nobody can say whether it is allowed";
constexpr std::string_view kNotAllowed = "The destination is on no list of this tool's channel";

char lower(char c) { return c >= 'A' && c <= 'Z' ? static_cast<char>(c | 0x20) : c; }

std::vector<Glob> lower_globs(const YamlMap& map, const std::string& key) {
  std::vector<Glob> globs;
  for (std::string& text : read_text_list(map, key)) {
    std::transform(text.begin(), text.end(), text.begin(), lower);
    globs.emplace_back(std::move(text));
  }
  if (globs.empty()) map.reject(key, "must have at least one entry");
  return globs;
}

bool shares_any(const std::vector<std::string>& wanted, std::span<const std::string> have) {
  return std::any_of(wanted.begin(), wanted.end(), [&](const std::string& one) {
    return std::find(have.begin(), have.end(), one) != have.end();
  });
}

bool stricter(const ToolVerdict& one, const ToolVerdict& other) {
  return strictness(one.outcome) > strictness(other.outcome);
}

}  // namespace

std::string_view host_in(std::string_view url) {
  // Whatever one program might skip, decode or split at another place.
  const bool is_plain = std::all_of(url.begin(), url.end(), [](char c) {
    return c > ' ' && c != '\\' && static_cast<unsigned char>(c) < 0x7f;
  });
  if (!is_plain) return {};
  // "https:/evil.example": a path to some, Node and browsers go to that host.
  const std::size_t colon = std::min(url.find(':'), url.size());
  if (colon < url.size() && url.substr(colon, 3) != "://" && is_web_scheme(url.substr(0, colon)))
    return {};
  const std::size_t scheme = url.find("://");
  if (scheme != std::string_view::npos && scheme < url.find_first_of("/?#"))
    url.remove_prefix(scheme + 3);
  url = url.substr(0, url.find_first_of("/?#"));
  if (url.find_first_of("@%") != std::string_view::npos) return {};
  if (url.empty() || url.front() != '[') {
    const std::size_t port = url.find(':');
    std::string_view host = url.substr(0, port);
    if (port != std::string_view::npos &&
        url.substr(port + 1).find_first_not_of("0123456789") != std::string_view::npos)
      return {};
    if (!host.empty() && host.back() == '.') host.remove_suffix(1);
    return host;
  }
  const std::size_t end = url.find(']');
  return end == std::string_view::npos ? std::string_view() : url.substr(1, end - 1);
}

EgressChannel EgressChannel::read(const YamlMap& map, const std::string& name) {
  EgressChannel channel;
  const std::string kind = map.choice("kind", "text", {"email", "url", "text"});
  channel.kind_ = kind == "email" ? Kind::kEmail : kind == "url" ? Kind::kUrl : Kind::kText;
  if (map.has("default"))
    channel.fallback_ = read_action_outcome(map, "default").value_or(model::Outcome::kDeny);
  for (const YamlMap& entry : map.maps("destinations")) {
    if (channel.rules_.size() >= kMaxDestinations) {
      entry.reject("", name + ": more than " + std::to_string(kMaxDestinations) + " destinations");
      break;
    }
    Rule rule{lower_globs(entry, "to"), read_text_list(entry, "labels"),
              read_action_outcome(entry, "outcome").value_or(model::Outcome::kDeny),
              read_text(entry, "reason")};
    channel.rules_.push_back(std::move(rule));
  }
  return channel;
}

ToolVerdict EgressChannel::judge_one(std::string_view destination,
                                     std::span<const std::string> labels) const {
  std::array<char, kMaxValueBytes> folded;
  std::transform(destination.begin(), destination.end(), folded.begin(), lower);
  const std::string_view text(folded.data(), destination.size());
  const ToolVerdict none{fallback_, "tools.destination", kNotAllowed};
  ToolVerdict strictest;
  bool is_named = false;
  for (const Rule& rule : rules_) {
    const bool fits = std::any_of(rule.to.begin(), rule.to.end(),
                                  [&](const Glob& glob) { return glob.matches(text); });
    if (!fits || (!rule.labels.empty() && !shares_any(rule.labels, labels))) continue;
    const ToolVerdict verdict{rule.outcome, "tools.destination", rule.reason};
    if (!is_named || stricter(verdict, strictest)) strictest = verdict;
    is_named = true;
  }
  return is_named ? strictest : none;
}

ToolVerdict EgressChannel::judge_mail(std::string_view value,
                                      std::span<const std::string> labels) const {
  ToolVerdict strictest;
  bool is_read = false;
  while (!value.empty()) {
    const std::size_t end = std::min(value.find_first_of(kAddressBorders), value.size());
    const std::string_view word = value.substr(0, end);
    value.remove_prefix(std::min(end + 1, value.size()));
    // Words without `@` are somebody's name; every word with one may be where it goes.
    if (word.find('@') == std::string_view::npos) continue;
    const ToolVerdict verdict = judge_one(word, labels);
    if (!is_read || stricter(verdict, strictest)) strictest = verdict;
    is_read = true;
  }
  return is_read ? strictest : ToolVerdict{model::Outcome::kDeny, "tools.destination", kUnreadable};
}

ToolVerdict EgressChannel::judge(std::string_view value,
                                 std::span<const std::string> labels) const {
  const ToolVerdict unreadable{model::Outcome::kDeny, "tools.destination", kUnreadable};
  if (value.empty() || value.size() > kMaxValueBytes) return unreadable;
  if (kind_ == Kind::kEmail) return judge_mail(value, labels);
  if (kind_ == Kind::kText) return judge_one(value, labels);
  const std::string_view host = host_in(value);
  return host.empty() ? unreadable : judge_one(host, labels);
}

bool EgressChannel::mails_to(std::string_view value, std::string_view address) const {
  if (kind_ != Kind::kEmail || address.empty()) return false;
  while (!value.empty()) {
    const std::size_t end = std::min(value.find_first_of(kAddressBorders), value.size());
    const std::string_view word = value.substr(0, end);
    value.remove_prefix(std::min(end + 1, value.size()));
    if (std::equal(word.begin(), word.end(), address.begin(), address.end(),
                   [](char left, char right) { return lower(left) == lower(right); }))
      return true;
  }
  return false;
}

}  // namespace aispm::policy
