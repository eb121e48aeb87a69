// SPDX-License-Identifier: Apache-2.0
#include "gateway/proxy/config_detect.hpp"

#include <algorithm>

namespace aispm::gateway {
namespace {

void read_inspection(const YamlMap& map, detect::InspectOptions& inspect) {
  const YamlMap layers = map.map("layers");
  const YamlMap budgets = map.map("budgets");
  for (std::size_t i = 0; i < detect::kLayerCount; ++i) {
    const std::string name(detect::name_of(static_cast<detect::Layer>(i)));
    inspect.layers[i] = layers.flag(name, true);
    inspect.budgets[i] = budgets.duration(
        name, std::chrono::duration_cast<std::chrono::milliseconds>(inspect.budgets[i]));
  }
  inspect.total = budgets.duration(
      "total", std::chrono::duration_cast<std::chrono::milliseconds>(inspect.total));
}

void read_opinions(const YamlMap& map, OpinionConfig& opinions) {
  opinions.model = map.text("model", "");
  opinions.deadline = map.duration("deadline", opinions.deadline);
  opinions.bytes = map.size_bytes("bytes", opinions.bytes, 1U << 20);
  opinions.workers = static_cast<std::size_t>(map.integer("workers", 1, {1, 64}));
}

VoterConfig read_voter(const YamlMap& map) {
  VoterConfig voter;
  read_endpoint(map, voter.endpoint);
  std::vector<std::string> forms;
  for (const GuardForm known : kGuardForms) forms.emplace_back(name_of(known));
  const std::string form = map.choice("form", "llama_guard", forms);
  for (const GuardForm known : kGuardForms)
    if (name_of(known) == form) voter.form = known;
  if (is_chat(voter.form)) voter.model = map.required_text("model");
  if (voter.form == GuardForm::kPresidio) voter.model = map.text("language", "en");
  voter.optional = map.flag("optional", false);
  voter.deadline = map.duration("deadline", voter.deadline);
  voter.concurrency = static_cast<std::size_t>(map.integer("concurrency", 8, {1, 1024}));
  voter.bytes = map.size_bytes("bytes", voter.bytes, 1U << 20);
  voter.min_bytes = static_cast<std::size_t>(map.integer("min_bytes", 8, {1, 4096}));
  voter.block_score = map.number("block_score", 0, 0, 1);
  voter.replies = map.flag("replies", false);
  voter.reply_deadline = map.duration("reply_deadline", voter.reply_deadline);
  voter.name = map.text("name", "");
  if (voter.name.size() > VoterConfig::kMaxName ||
      voter.name.find_first_not_of("abcdefghijklmnopqrstuvwxyz0123456789_-") != std::string::npos)
    map.reject("name", "must be at most 32 of a-z 0-9 _ -");
  return voter;
}

// One guard model, or a list of them, each with a name of its own: the form's, unless it says one.
std::vector<VoterConfig> read_voters(const YamlMap& map) {
  std::vector<VoterConfig> voters;
  if (!map.has("guard_model")) return voters;
  if (!map.is_list("guard_model")) {
    voters.push_back(read_voter(map.map("guard_model")));
  } else {
    for (const YamlMap& one : map.maps("guard_model")) {
      voters.push_back(read_voter(one));
      std::string& name = voters.back().name;
      if (name.empty()) name = name_of(voters.back().form);
      const bool taken = std::any_of(voters.begin(), voters.end() - 1,
                                     [&](const VoterConfig& other) { return other.name == name; });
      if (taken) one.reject("name", "'" + name + "' is taken: give each guard model a `name`");
    }
    if (voters.empty() || voters.size() > VoterConfig::kMax)
      map.reject("guard_model", "a list must hold 1 to 8 guard models");
  }
  for (VoterConfig& voter : voters)
    voter.endpoint.name = voter.name.empty() ? "guard model" : "guard model " + voter.name;
  return voters;
}

LeakConfig read_leaks(const YamlMap& map) {
  LeakConfig leaks;
  leaks.prompt_echo = map.flag("prompt_echo", true);
  leaks.echo.tell = static_cast<std::size_t>(
      map.integer("prompt_echo_from", EchoBounds::kMin, {EchoBounds::kMin, EchoBounds::kMax}));
  const auto high = static_cast<std::int64_t>(std::max(leaks.echo.high, leaks.echo.tell));
  leaks.echo.high = static_cast<std::size_t>(
      map.integer("prompt_echo_high", high, {EchoBounds::kMin, EchoBounds::kMax}));
  if (leaks.echo.high < leaks.echo.tell)
    map.reject("prompt_echo_high", "must not be less than `prompt_echo_from`");
  leaks.tool_schemas = map.flag("tool_schemas", true);
  leaks.sentinels = map.texts("sentinels");
  if (leaks.sentinels.size() > LeakConfig::kMaxSentinels)
    map.reject("sentinels", "more than 64 strings");
  for (const std::string& one : leaks.sentinels)
    if (one.size() < LeakConfig::kMinSentinel || one.size() > LeakConfig::kMaxSentinel ||
        std::any_of(one.begin(), one.end(), [](char c) { return c < ' ' || c > '~'; }))
      map.reject("sentinels",
                 "each must have 21 to 256 printable ASCII characters: shorter ones stand in "
                 "ordinary answers, too");
  return leaks;
}

}  // namespace

Tenants read_tenants(const YamlMap& map) {
  Tenants tenants;
  for (const std::string& name : map.keys()) {
    const YamlMap own = map.map(name);
    TenantConfig tenant;
    tenant.rules_file = own.text("rules", "");
    tenant.pii_entities = own.texts("pii_entities");
    if (own.has("pii_entities") && tenant.pii_entities.empty())
      own.reject("pii_entities", "must not be empty; leave it out for all of them");
    const YamlMap layers = own.map("layers");
    for (std::size_t i = 0; i < detect::kLayerCount; ++i)
      tenant.layers[i] =
          layers.flag(std::string(detect::name_of(static_cast<detect::Layer>(i))), true);
    tenants.emplace(name, std::move(tenant));
  }
  if (tenants.size() > TenantConfig::kMaxTenants) map.reject("", "more than 64 tenants");
  return tenants;
}

DetectConfig read_detect(const YamlMap& map) {
  DetectConfig config;
  read_inspection(map, config.inspect);
  read_opinions(map.map("semantic"), config.opinions);
  config.voters = read_voters(map);
  config.leaks = read_leaks(map.map("leaks"));
  return config;
}

}  // namespace aispm::gateway
