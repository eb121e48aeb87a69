// SPDX-License-Identifier: Apache-2.0
#include "sdk/core/policy/tool_registry.hpp"

#include <algorithm>
#include <set>

#include "sdk/core/common/crypto.hpp"
#include "sdk/core/common/ed25519.hpp"
#include "sdk/core/policy/policy_text.hpp"

namespace aispm::policy {
namespace {

constexpr std::size_t kHashDigits = 64;
constexpr std::size_t kMaxPublishers = 64;
constexpr std::size_t kMaxKeyBytes = 4096;
constexpr std::size_t kSignatureDigits = 128;

struct Publisher {
  std::string name;
  std::string key;
};

bool is_hex(std::string_view text, std::size_t digits) {
  return text.size() == digits &&
         text.find_first_not_of("0123456789abcdef") == std::string_view::npos;
}

std::string read_hash(const YamlMap& map, const std::string& key) {
  std::string hash = read_text(map, key);
  if (!hash.empty() && !is_hex(hash, kHashDigits))
    map.reject(key, "must be a SHA-256: 64 lower-case hex digits");
  return hash;
}

ToolPin read_pin(const YamlMap& map) {
  ToolPin pin{read_hash(map, "description"), read_hash(map, "schema"), read_hash(map, "endpoint")};
  if (pin.description.empty() && pin.schema.empty() && pin.endpoint.empty())
    map.reject("", "a pin must have one of description, schema, endpoint");
  return pin;
}

std::vector<Publisher> read_publishers(const YamlMap& root) {
  std::vector<Publisher> publishers;
  for (const YamlMap& map : root.maps("publishers")) {
    if (publishers.size() >= kMaxPublishers) {
      map.reject("", "more than " + std::to_string(kMaxPublishers) + " publishers");
      break;
    }
    Publisher publisher{read_name(map, "name"), map.required_text("key")};
    if (publisher.key.size() > kMaxKeyBytes || !ed25519::key_id(publisher.key))
      map.reject("key", "must be an Ed25519 public key (PEM)");
    publishers.push_back(std::move(publisher));
  }
  return publishers;
}

std::string bytes_of_hex(std::string_view hex) {
  const auto digit = [](char c) { return c <= '9' ? c - '0' : c - 'a' + 10; };
  std::string bytes;
  for (std::size_t i = 0; i + 1 < hex.size(); i += 2)
    bytes.push_back(static_cast<char>(digit(hex[i]) * 16 + digit(hex[i + 1])));
  return bytes;
}

void check_signature(const YamlMap& map, const std::vector<Publisher>& publishers, Tool& tool) {
  const std::string signature = read_text(map, "signature");
  if (signature.empty()) return;
  if (!is_hex(signature, kSignatureDigits))
    return map.reject("signature", "must be 128 lower-case hex digits");
  if (tool.sha256.empty() || !tool.name.is_name())
    return map.reject("signature", "needs `sha256` and a `name` without globs");
  const std::string form = provenance_form(tool.name.text(), tool.version, tool.sha256);
  for (const Publisher& publisher : publishers) {
    if (publisher.name != tool.publisher) continue;
    if (!ed25519::verify(publisher.key, form, bytes_of_hex(signature))) continue;
    tool.signed_by = ed25519::key_id(publisher.key).value_or("");
    tool.is_verified = true;
    return;
  }
  map.reject("signature", "is by no key that `publishers` has for `" + tool.publisher + "`");
}

Tool read_tool(const YamlMap& map, const std::vector<Publisher>& publishers) {
  Tool tool;
  tool.name = Glob(read_name(map, "name"));
  tool.provider = Glob(read_text(map, "provider", "*"));
  tool.version = read_text(map, "version");
  tool.publisher = read_text(map, "publisher");
  tool.source = read_text(map, "source");
  tool.sha256 = read_hash(map, "sha256");
  tool.is_verified = map.flag("verified", false);
  check_signature(map, publishers, tool);
  tool.permissions = read_text_list(map, "permissions");
  tool.risk = map.choice("risk", "low", {"low", "medium", "high", "critical"});
  for (const YamlMap& pin : map.maps("pins")) tool.pins.push_back(read_pin(pin));
  if (tool.pins.size() > ToolRegistry::kMaxPins)
    map.reject("pins", "more than " + std::to_string(ToolRegistry::kMaxPins));
  tool.is_blocked = map.flag("blocked", false);
  tool.blocked_reason = read_text(map, "reason");
  tool.posture_below = map.number("posture_below", tool.posture_below, 0, 2);
  tool.scope = read_text(map, "scope");
  tool.channel = read_text(map, "channel");
  tool.destination_fields = read_text_list(map, "destination_field");
  if (tool.channel.empty() != tool.destination_fields.empty())
    map.reject(tool.channel.empty() ? "destination_field" : "channel",
               "`channel` and `destination_field` go together");
  return tool;
}

Tool builtin_tool(const char* name, double below, const char* scope) {
  Tool tool;
  tool.name = Glob(name);
  tool.posture_below = below;
  tool.scope = scope;
  tool.risk = "low";
  return tool;
}

ToolRegistry::Review read_review(const YamlMap& map) {
  ToolRegistry::Review review;
  review.tool = read_name(map, "tool");
  review.provider = read_text(map, "provider");
  review.is_blocked = map.choice("state", "approved", {"approved", "blocked"}) == "blocked";
  review.reason = read_text(map, "reason");
  for (const char* note : {"by", "at"}) read_text(map, note);
  ToolPin pin{read_hash(map, "description"), read_hash(map, "schema"), read_hash(map, "endpoint")};
  const bool has_hash = !pin.description.empty() || !pin.schema.empty() || !pin.endpoint.empty();
  if (!review.is_blocked && !has_hash)
    map.reject("", "an approved tool must have one of description, schema, endpoint");
  if (!review.is_blocked) review.pin = std::move(pin);
  return review;
}

}  // namespace

std::string endpoint_sha256(const std::vector<std::string>& words) {
  std::string form;
  for (const std::string& word : words) (form += word).push_back('\0');
  return sha256_hex(form);
}

std::string provenance_form(std::string_view name, std::string_view version,
                            std::string_view sha256) {
  std::string form = "aispm-tool 1\n";
  for (const std::string_view part : {name, version, sha256}) (form += part).push_back('\n');
  return form;
}

std::vector<Tool> ToolRegistry::builtin() {
  return {builtin_tool("security.review", 2, ""),
          builtin_tool("calendar.read", 0.40, "calendar:read"),
          builtin_tool("gmail.read", 0.35, "gmail:read"),
          builtin_tool("file.read", 0.35, "file:read"),
          builtin_tool("db.query", 0.30, "db:query"),
          builtin_tool("web.*", 0.50, "web:access"),
          builtin_tool("gmail.send", 0.25, "gmail:send"),
          builtin_tool("calendar.write", 0.25, "calendar:write"),
          builtin_tool("file.write", 0.20, "file:write")};
}

ToolRegistry ToolRegistry::read(const YamlMap& root, bool with_builtin) {
  ToolRegistry registry;
  const std::vector<Publisher> publishers = read_publishers(root);
  std::set<std::pair<std::string, std::string>> seen;
  for (const YamlMap& map : root.maps("tools")) {
    if (registry.tools_.size() >= kMaxTools) {
      map.reject("", "more than " + std::to_string(kMaxTools) + " tools");
      break;
    }
    registry.tools_.push_back(read_tool(map, publishers));
    const Tool& tool = registry.tools_.back();
    if (!seen.emplace(tool.name.text(), tool.provider.text()).second)
      map.reject("name", "`" + tool.name.text() + "` of this provider stands twice");
  }
  if (with_builtin)
    for (Tool& tool : builtin()) registry.tools_.push_back(std::move(tool));
  registry.index();
  return registry;
}

void ToolRegistry::read_pins(const YamlMap& root) {
  std::vector<Review> reviews;
  for (const YamlMap& map : root.maps("pins")) {
    if (reviews.size() >= kMaxTools) {
      map.reject("", "more than " + std::to_string(kMaxTools) + " pins");
      break;
    }
    reviews.push_back(read_review(map));
  }
  // Those of any provider first: what a provider's own entry is made of has them, then.
  for (const bool of_any : {true, false})
    for (const Review& review : reviews)
      if (review.provider.empty() == of_any) apply(review);
  const bool is_full = std::any_of(tools_.begin(), tools_.end(),
                                   [](const Tool& tool) { return tool.pins.size() > kMaxPins; });
  if (is_full) root.reject("pins", "more than " + std::to_string(kMaxPins) + " of one tool");
}

std::vector<Tool*> ToolRegistry::entries_for(const std::string& name, const std::string& provider) {
  std::vector<Tool*> meant;
  for (Tool& tool : tools_)
    if (tool.name.is_name() && tool.name.text() == name &&
        (provider.empty() || (tool.provider.is_name() && tool.provider.text() == provider)))
      meant.push_back(&tool);
  if (!meant.empty()) return meant;
  const Tool* known = find(name, provider);
  Tool tool = known == nullptr ? Tool() : *known;
  tool.name = Glob::literal(name);
  if (!provider.empty()) tool.provider = Glob::literal(provider);
  tools_.insert(tools_.begin(), std::move(tool));
  index();
  return {&tools_.front()};
}

std::vector<Tool> ToolRegistry::read_registered(const YamlMap& root) {
  std::vector<Tool> registered;
  for (const YamlMap& map : root.maps("tools")) {
    if (registered.size() >= kMaxTools) {
      map.reject("", "more than " + std::to_string(kMaxTools) + " tools");
      break;
    }
    Tool tool = read_tool(map, {});
    // A server chooses the names of its tools: one called `*` is not all of them.
    tool.name = Glob::literal(tool.name.text());
    if (map.has("provider")) tool.provider = Glob::literal(tool.provider.text());
    registered.push_back(std::move(tool));
  }
  return registered;
}

void ToolRegistry::add_registered(const std::vector<Tool>& registered) {
  const auto fill = [](std::string& own, const std::string& other) {
    if (own.empty()) own = other;
  };
  // Those of any provider first, as with pins.
  for (const bool of_any : {true, false}) {
    for (const Tool& from : registered) {
      if (from.provider.is_name() == of_any) continue;
      for (Tool* tool : entries_for(from.name.text(), of_any ? "" : from.provider.text())) {
        if (from.is_blocked && !tool->is_blocked) {
          tool->is_blocked = true;
          tool->blocked_reason = from.blocked_reason;
        }
        tool->pins.insert(tool->pins.end(), from.pins.begin(), from.pins.end());
        fill(tool->version, from.version);
        fill(tool->publisher, from.publisher);
        fill(tool->source, from.source);
        fill(tool->sha256, from.sha256);
        fill(tool->risk, from.risk);
        fill(tool->scope, from.scope);
        if (tool->permissions.empty()) tool->permissions = from.permissions;
        tool->is_verified = tool->is_verified || from.is_verified;
        tool->posture_below = std::min(tool->posture_below, from.posture_below);
      }
    }
  }
}

void ToolRegistry::apply(const Review& review) {
  for (Tool* tool : entries_for(review.tool, review.provider)) {
    if (review.is_blocked) {
      tool->is_blocked = true;
      tool->blocked_reason = review.reason;
    }
    if (review.pin) tool->pins.push_back(*review.pin);
  }
}

void ToolRegistry::index() {
  by_name_.clear();
  globs_.clear();
  for (std::uint32_t number = 0; number < tools_.size(); ++number) {
    const Tool& tool = tools_[number];
    if (tool.name.is_name())
      by_name_[tool.name.text()].push_back(number);
    else
      globs_.push_back(number);
  }
  for (auto& [name, numbers] : by_name_)
    std::stable_partition(numbers.begin(), numbers.end(),
                          [&](std::uint32_t number) { return tools_[number].provider.is_name(); });
}

const Tool* ToolRegistry::find(std::string_view name, std::string_view provider) const {
  const auto fits = [&](std::uint32_t number) { return tools_[number].provider.matches(provider); };
  if (const auto named = by_name_.find(name); named != by_name_.end()) {
    const auto entry = std::find_if(named->second.begin(), named->second.end(), fits);
    if (entry != named->second.end()) return &tools_[*entry];
  }
  for (const std::uint32_t number : globs_)
    if (tools_[number].name.matches(name) && fits(number)) return &tools_[number];
  return nullptr;
}

}  // namespace aispm::policy
