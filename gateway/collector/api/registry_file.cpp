// SPDX-License-Identifier: Apache-2.0
#include "gateway/collector/api/registry_file.hpp"

#include <boost/json.hpp>

#include "gateway/collector/store/reader.hpp"
#include "sdk/core/policy/trust.hpp"

namespace aispm::collector::api {
namespace {

namespace json = boost::json;

constexpr std::int64_t kSecond = 1'000'000'000;

void put(json::object& entry, const char* key, const std::string& text) {
  if (!text.empty()) entry[key] = text;
}

template <typename List>
void put_list(json::object& entry, const char* key, const List& list) {
  if (list.empty()) return;
  json::array& array = entry[key].emplace_array();
  for (const std::string& one : list) array.emplace_back(one);
}

std::string time_text(std::int64_t seconds) {
  const std::time_t time = seconds;
  std::tm parts{};
  ::gmtime_r(&time, &parts);
  char text[32];
  std::strftime(text, sizeof(text), "%Y-%m-%dT%H:%M:%SZ", &parts);
  return text;
}

json::object entry_of(const pb::RegisteredTool& tool) {
  const pb::ToolFacts& facts = tool.facts();
  json::object entry{{"name", tool.name()}};
  put(entry, "provider", tool.provider());
  put(entry, "version", facts.version());
  put(entry, "publisher", facts.publisher());
  put(entry, "source", facts.source());
  put(entry, "sha256", facts.sha256());
  put_list(entry, "permissions", facts.permissions());
  put(entry, "risk", facts.risk());
  put(entry, "scope", facts.scope());
  if (facts.has_posture_below()) entry["posture_below"] = facts.posture_below();
  if (facts.verified()) entry["verified"] = true;
  if (tool.state() == "blocked") {
    entry["blocked"] = true;
    put(entry, "reason", tool.reason());
  }
  json::array pins;
  for (const auto& definition : tool.definitions()) {
    json::object pin;
    put(pin, "description", definition.description_sha256());
    put(pin, "schema", definition.schema_sha256());
    pins.push_back(std::move(pin));
  }
  if (!pins.empty()) entry["pins"] = std::move(pins);
  return entry;
}

json::object entry_of(const pb::RegisteredAgent& agent) {
  json::object entry{{"agent", agent.agent_id()}};
  if (agent.has_rights()) {
    const pb::AgentRights& rights = agent.rights();
    put(entry, "type", rights.type());
    put(entry, "environment", rights.environment());
    put_list(entry, "roles", rights.roles());
    put_list(entry, "scopes", rights.scopes());
    put(entry, "trust", rights.trust());
    if (rights.has_attested_until())
      entry["attested_until"] = time_text(rights.attested_until().seconds());
    put(entry, "key", rights.key());
    if (rights.only_delegated()) entry["only_delegated"] = true;
  }
  if (agent.has_expires()) entry["expires_at"] = time_text(agent.expires().seconds());
  if (agent.state() == "blocked") {
    entry["blocked"] = true;
    put(entry, "reason", agent.reason());
  }
  return entry;
}

template <typename Entries>
void add(std::string& text, const char* key, const Entries& entries) {
  if (entries.empty()) return;
  text.append(key).append(":\n");
  // JSON is YAML.
  for (const auto& one : entries)
    text.append("  - ").append(json::serialize(entry_of(one))).append("\n");
}

}  // namespace

std::string registry_file(const std::vector<pb::RegisteredTool>& tools,
                          const std::vector<pb::RegisteredAgent>& agents) {
  std::string text = "# SPDX-License-Identifier: Apache-2.0\n# Made by the collector's registry.\n";
  add(text, "tools", tools);
  add(text, "agents", agents);
  return text;
}

void score_trust(pb::RegisteredAgent* agent, unsigned denials_in_row, int hour, WallTime now) {
  const pb::AgentRights& rights = agent->rights();
  policy::TrustFacts facts;
  facts.registered =
      policy::parse_trust_level(rights.trust()).value_or(policy::TrustLevel::kUntrusted);
  facts.in_production = rights.environment() == "prod" || rights.environment() == "production";
  facts.is_attested = rights.has_attested_until();
  facts.is_attestation_expired =
      facts.is_attested && rights.attested_until().seconds() * kSecond < now.nanoseconds;
  // What a part takes off is what is missing beside the same without it.
  policy::TrustFacts sum;
  sum.hour = 12;
  int before = 0;
  const auto part = [&](const std::string& name) {
    const int score = policy::evaluate_trust(sum).score;
    if (score == before && name.rfind("level", 0) != 0) return;
    pb::TrustPart& told = *agent->add_trust_parts();
    told.set_name(name);
    told.set_points(score - before);
    before = score;
  };
  // Attestation is a part of its own: it counts in production alone.
  sum.registered = facts.registered;
  sum.is_attested = true;
  part("level " + std::string(policy::name_of(facts.registered)));
  sum.in_production = facts.in_production;
  sum.is_attested = facts.is_attested;
  part("no attestation in production");
  sum.is_attestation_expired = facts.is_attestation_expired;
  part("attestation expired");
  sum.hour = hour;
  part("hour " + std::to_string(hour));
  sum.denials_in_row = denials_in_row;
  part("denials in a row");
  const policy::Trust trust = policy::evaluate_trust(sum);
  agent->set_trust_score(static_cast<std::uint32_t>(trust.score));
  agent->set_trust_level(std::string(policy::name_of(trust.level)));
}

}  // namespace aispm::collector::api
