// SPDX-License-Identifier: Apache-2.0
#include "gateway/proxy/observe/inventory.hpp"

#include <boost/json/array.hpp>
#include <boost/json/object.hpp>
#include <boost/json/serialize.hpp>

#include "gateway/proxy/observe/observatory.hpp"
#include "gateway/proxy/services.hpp"
#include "gateway/proxy/version.hpp"
#include "sdk/core/policy/policy_book.hpp"

namespace aispm::gateway {
namespace {

namespace json = boost::json;

std::string state_of(const Provider& provider) {
  if (!provider.config().missing_key.empty()) return "no key";
  return provider.is_failing() ? "failing" : "ok";
}

json::array providers_of(const ProviderSet& set) {
  json::array list;
  for (const auto& provider : set.all()) {
    json::object one{{"name", provider->config().name},
                     {"dialect", name_of(provider->config().dialect)},
                     {"origin", provider->config().origin},
                     {"state", state_of(*provider)}};
    const auto& models = provider->config().models;
    one["models"] = json::array(models.begin(), models.end());
    if (provider->is_failing()) one["last_failure"] = provider->last_failure();
    list.push_back(std::move(one));
  }
  return list;
}

json::object guard_of(const Services& services, const Voter& voter) {
  const VoterConfig& config = voter.config();
  const Provider& provider = voter.provider();
  json::object guard{{"judge", "guard model"},           {"name", voter.name()},
                     {"backend", name_of(config.form)},  {"model", config.model},
                     {"origin", config.endpoint.origin}, {"state", state_of(provider)},
                     {"optional", config.optional}};
  if (state_of(provider) == "ok") return guard;
  const bool has_semantic = services.semantic && services.semantic->health().ready;
  const auto book = services.rules.current();
  const bool denies =
      !config.optional && book && book->policy->fail_closed() && book->policy->waits_for_opinions();
  guard["fallback"] = denies         ? "none: what it should judge is denied"
                      : has_semantic ? "rules+classifier+semantic"
                                     : "rules+classifier";
  guard["reason"] = provider.config().missing_key.empty() ? provider.last_failure()
                                                          : provider.config().missing_key;
  return guard;
}

// Each judge, and who judges in its place while it is away.
json::array judges_of(const Services& services) {
  json::array list;
  list.push_back(json::object{{"judge", "rules+classifier"}, {"state", "ok"}});
  json::object semantic{{"judge", "semantic tier"}, {"state", "off"}};
  if (services.semantic) {
    const detect::SemanticHealth health = services.semantic->health();
    semantic["model"] = services.config.detect.opinions.model;
    semantic["version"] = health.version;
    semantic["state"] = health.ready ? "ok" : "absent";
    if (!health.ready) {
      semantic["fallback"] = "rules+classifier";
      semantic["reason"] = health.reason;
    }
  }
  list.push_back(std::move(semantic));
  if (services.voters.empty())
    list.push_back(json::object{{"judge", "guard model"}, {"state", "off"}});
  for (const auto& voter : services.voters) list.push_back(guard_of(services, *voter));
  return list;
}

json::array policies_of(const Services& services) {
  json::array list;
  if (const auto book = services.rules.current())
    list.push_back(json::object{{"id", "rules over detections"},
                                {"version", book->policy->version()},
                                {"rules", book->policy->rule_count()},
                                {"mode", policy::name_of(book->policy->default_mode())}});
  if (const auto bundle = services.bundles.local())
    list.push_back(json::object{{"id", bundle->id},
                                {"version", bundle->bundle ? bundle->version() : "unusable"},
                                {"stage", "enforced"},
                                {"problem", bundle->problem}});
  if (const auto policies = services.policies.load())
    for (const policy::AssignedPolicy& one : policies->policies())
      list.push_back(json::object{
          {"id", one.id},
          {"version", std::to_string(one.version)},
          {"stage", one.stage == policy::PolicyStage::kEnforced ? "enforced" : "monitored"},
          {"problem", one.problem}});
  for (const auto& [name, config] : services.config.observe.scan.policies)
    list.push_back(json::object{{"id", name}, {"stage", "scan API"}, {"file", config.file}});
  return list;
}

json::array tenants_of(const RuleBook& book) {
  json::array list;
  for (const auto& [name, own] : book.tenants)
    list.push_back(json::object{
        {"tenant", name},
        {"rules_of_its_own", own->engine->rules().size() - book.engine->rules().size()},
        {"guardrails", own->guardrails ? own->guardrails->all().size() : 0}});
  return list;
}

}  // namespace

std::string describe_inventory(const Services& services) {
  json::object out;
  out["version"] = kVersion;
  out["host"] = services.host_id;
  json::object detection{{"packs", services.config.pack_folder}, {"state", "loading"}};
  if (const auto book = services.rules.current()) {
    detection["state"] = "ok";
    detection["version"] = book->engine->version();
    detection["rules"] = book->engine->rules().size();
    detection["engines"] = book->count_engines();
    out["tenants"] = tenants_of(*book);
  }
  out["detection"] = std::move(detection);
  out["judges"] = judges_of(services);
  out["policies"] = policies_of(services);
  out["providers"] = providers_of(*services.providers.current());
  out["mcp_servers"] = providers_of(services.mcp_servers);
  return json::serialize(out);
}

}  // namespace aispm::gateway
