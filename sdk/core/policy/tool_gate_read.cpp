// SPDX-License-Identifier: Apache-2.0
#include <algorithm>

#include "sdk/core/policy/policy_text.hpp"
#include "sdk/core/policy/registry_part.hpp"
#include "sdk/core/policy/tool_gate.hpp"

namespace aispm::policy {
namespace {

bool is_full(const YamlMap& map, const std::string& what, std::size_t count, std::size_t limit) {
  if (count < limit) return false;
  map.reject("", "more than " + std::to_string(limit) + " " + what);
  return true;
}

RiskSignals read_signals(const YamlMap& map) {
  RiskSignals signals;
  for (const std::string& name : read_text_list(map, "signals")) {
    bool is_known = false;
    for (std::size_t i = 0; i < kRiskSignals; ++i) {
      if (name_of(static_cast<RiskSignal>(i)) != name) continue;
      signals.add(static_cast<RiskSignal>(i));
      is_known = true;
    }
    if (!is_known) map.reject("signals", "`" + name + "` is no signal");
  }
  return signals;
}

// Both files may be empty; then they are maps without keys.
Result<YamlMap> parse_part(const std::string& content, const std::string& name) {
  if (content.size() > ToolGate::kMaxBytes)
    return fail(Errc::kTooLarge,
                name + ": longer than " + std::to_string(ToolGate::kMaxBytes) + " bytes");
  return YamlMap::parse(content, name);
}

}  // namespace

ToolGate::Lockdown ToolGate::read_lockdown(const YamlMap& map) {
  Lockdown lockdown;
  lockdown.signals = read_signals(map);
  if (map.has("posture_at")) lockdown.posture_at = map.number("posture_at", 1, 0, 1);
  if (lockdown.signals.empty() && !lockdown.posture_at)
    map.reject("", "a lockdown must have `signals` or `posture_at`");
  lockdown.allow = read_glob_list(map, "allow");
  lockdown.reason = read_text(map, "reason", "At this moment few tools may be called");
  return lockdown;
}

void ToolGate::read_rest(const YamlMap& root) {
  for (const YamlMap& map : root.maps("lockdowns")) {
    if (is_full(map, "lockdowns", lockdowns_.size(), kMaxLockdowns)) break;
    lockdowns_.push_back(read_lockdown(map));
  }
  const YamlMap roles = root.map("roles");
  for (const std::string& name : roles.keys()) {
    if (is_full(roles, "roles", roles_.size(), kMaxRoles)) break;
    roles_.push_back({name, read_glob_list(roles, name)});
  }
  const YamlMap intents = root.map("intents");
  for (const std::string& name : intents.keys()) {
    if (is_full(intents, "intents", intents_.size(), kMaxIntents)) break;
    intents_.push_back({name, read_text_list(intents, name)});
  }
  const YamlMap channels = root.map("channels");
  for (const std::string& name : channels.keys()) {
    if (is_full(channels, "channels", channels_.size(), kMaxChannels)) break;
    channels_.emplace(name, EgressChannel::read(channels.map(name), name));
  }
  for (const Tool& tool : registry_.tools())
    if (!tool.channel.empty() && !channels_.contains(tool.channel))
      root.reject("channels", "`" + tool.channel + "`, which `" + tool.name.text() +
                                  "` uses, is not among them");
}

void ToolGate::add_builtin() {
  const std::vector<Glob> review = {Glob("security.review")};
  lockdowns_.push_back({{RiskSignal::kExfiltration},
                        std::nullopt,
                        review,
                        "Data is being carried out: no tool may be called"});
  lockdowns_.push_back({{}, 0.50, review, "At this risk no tool may be called"});
  lockdowns_.push_back({{RiskSignal::kPromptInjection},
                        std::nullopt,
                        {Glob("security.review"), Glob("calendar.read"), Glob("gmail.read")},
                        "After a prompt injection only reading tools may be called"});
  const std::vector<Intent> known = {{"send mail", {"gmail.read", "gmail.send"}},
                                     {"read mail", {"gmail.read"}},
                                     {"plan a meeting", {"calendar.read", "calendar.write"}},
                                     {"look something up", {"web.search", "web.fetch"}},
                                     {"edit a file", {"file.read", "file.write"}},
                                     {"ask the database", {"db.query"}}};
  for (const Intent& intent : known) {
    const auto same = [&](const Intent& own) { return own.name == intent.name; };
    if (std::none_of(intents_.begin(), intents_.end(), same)) intents_.push_back(intent);
  }
}

ToolGate ToolGate::of_registry(const RegistryPart& registry) {
  ToolGate gate;
  gate.requires_registration_ = false;
  gate.first_use_ = FirstUse::kNoFile;
  gate.registry_.add_registered(registry.tools());
  return gate;
}

Result<ToolGate> ToolGate::parse(const std::string& tools, const std::string& pins,
                                 const RegistryPart* registry) {
  AISPM_TRY(const YamlMap root, parse_part(tools, "tools.yaml"));
  AISPM_TRY(const YamlMap reviews, parse_part(pins, "pins.yaml"));
  ToolGate gate;
  const bool has_builtin = root.flag("builtin", true);
  gate.requires_registration_ = root.flag("require_registration", true);
  const std::string first_use = root.choice("first_use", "trust", {"trust", "approve", "ignore"});
  gate.first_use_ = first_use == "approve"  ? FirstUse::kApprove
                    : first_use == "ignore" ? FirstUse::kIgnore
                                            : FirstUse::kTrust;
  gate.registry_ = ToolRegistry::read(root, has_builtin);
  gate.registry_.read_pins(reviews);
  if (registry != nullptr) gate.registry_.add_registered(registry->tools());
  gate.read_rest(root);
  if (has_builtin) gate.add_builtin();
  gate.limits_ = UsageLimits::read(root);
  AISPM_CHECK(root.finish());
  AISPM_CHECK(reviews.finish());
  return gate;
}

}  // namespace aispm::policy
