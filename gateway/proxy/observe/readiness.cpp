// SPDX-License-Identifier: Apache-2.0
#include "gateway/proxy/observe/readiness.hpp"

#include <algorithm>
#include <boost/json/array.hpp>
#include <boost/json/object.hpp>
#include <boost/json/serialize.hpp>

#include "gateway/proxy/observe/observatory.hpp"
#include "gateway/proxy/services.hpp"
#include "gateway/proxy/traffic/traffic.hpp"

namespace aispm::gateway {
namespace {

namespace json = boost::json;

std::string probe_name(const Provider& provider) { return "provider " + provider.config().name; }

// "guard model", with its own name where there are several.
std::string guard_name(const Voter& voter) {
  const std::string& name = voter.config().name;
  return name.empty() ? "guard model" : "guard model " + name;
}

void fail_check(Readiness& readiness, const std::string& part, std::string why, bool matters) {
  readiness.checks[part] = std::move(why);
  readiness.is_ready = readiness.is_ready && !matters;
}

using Missing = std::map<std::string, std::string>;
using Providers = std::vector<std::shared_ptr<Provider>>;

// Whether any request comes to it: by its `models`, as the first of its protocol, or along a route.
// Another that nobody asks keeps nothing going.
bool may_be_asked(const Services& services, const Providers& all, const ProviderConfig& config) {
  if (!config.models.empty()) return true;
  const auto first = std::find_if(all.begin(), all.end(), [&](const auto& one) {
    return one->config().dialect == config.dialect && one->config().models.empty();
  });
  if (first != all.end() && (*first)->config().name == config.name) return true;
  if (!services.traffic) return false;
  for (const auto& route : services.traffic->routes())
    for (const auto& arm : route->arms)
      if (arm->config.provider == config.name) return true;
  return false;
}

// A provider that is missing matters where no other that is asked speaks its protocol.
void check_providers(const Services& services, const Missing& missing, Readiness& readiness) {
  std::map<Dialect, bool> usable;
  const auto providers = services.providers.current();
  for (const auto& provider : providers->all()) {
    const bool is_there =
        provider->config().missing_key.empty() && !missing.contains(probe_name(*provider));
    usable[provider->config().dialect] |=
        is_there && may_be_asked(services, providers->all(), provider->config());
  }
  for (const auto& provider : providers->all()) {
    const std::string name = probe_name(*provider);
    const std::string& no_key = provider->config().missing_key;
    const auto unreachable = missing.find(name);
    if (no_key.empty() && unreachable == missing.end()) {
      readiness.checks[name] = "ok";
      continue;
    }
    // A key that is not there is not there for this process's life: no other instance has it.
    const bool matters = unreachable != missing.end() && !usable[provider->config().dialect];
    fail_check(readiness, name, no_key.empty() ? unreachable->second : no_key, matters);
  }
}

// Whether anybody of the route can be asked now. Who has no key does not count: no other instance
// has it either. A circuit whose time is over counts as closed: only a request can tell.
bool is_alive(const Traffic::Route& route, const Providers& all, const Missing& missing) {
  const auto now = Breaker::Time::clock::now();
  bool has_key = false;
  for (const auto& arm : route.arms) {
    const auto found = std::find_if(all.begin(), all.end(), [&](const auto& one) {
      return one->config().name == arm->config.provider;
    });
    if (found == all.end() || !(*found)->config().missing_key.empty()) continue;
    has_key = true;
    const bool is_open = arm->breaker.state(now) == Breaker::State::kOpen;
    if (!is_open && !missing.contains(probe_name(**found))) return true;
  }
  return !has_key;
}

// Where one route takes every model, all requests go along routes: then it matters that none of
// them has anybody left. One of several does not.
void check_routes(const Services& services, const Missing& missing, Readiness& readiness) {
  if (!services.traffic) return;
  const auto providers = services.providers.current();
  bool takes_all = false;
  bool has_alive = false;
  for (const auto& route : services.traffic->routes()) {
    const auto& models = route->config.models;
    takes_all = takes_all || std::find(models.begin(), models.end(), "*") != models.end();
    const bool alive = is_alive(*route, providers->all(), missing);
    has_alive = has_alive || alive;
    readiness.checks["route " + route->config.name] =
        alive ? "ok" : "nobody of it can be asked: circuits are open, or nobody listens";
  }
  if (takes_all && !has_alive) readiness.is_ready = false;
}

void check_judges(const Services& services, const Missing& missing, Readiness& readiness) {
  const auto book = services.rules.current();
  const bool decides = book && book->policy->fail_closed() && book->policy->waits_for_opinions();
  for (const auto& voter : services.voters) {
    const std::string name = guard_name(*voter);
    const auto unreachable = missing.find(name);
    readiness.checks[name] = "ok";
    if (unreachable != missing.end())
      fail_check(readiness, name, unreachable->second, decides && !voter->config().optional);
  }
}

}  // namespace

Readiness find_readiness(const Services& services) {
  Readiness readiness;
  readiness.checks["rules"] = "ok";
  if (!services.rules.current())
    fail_check(readiness, "rules", "the detection rules are being loaded", true);
  readiness.checks["records"] = "ok";
  if (services.recorder->is_failing())
    fail_check(readiness, "records", "events cannot be kept", services.cannot_record());
  if (const auto bundle = services.bundles.local()) {
    readiness.checks["policy bundle"] = "ok";
    if (!bundle->bundle)
      fail_check(readiness, "policy bundle", "unusable: " + bundle->problem, true);
    else if (bundle->is_expired(wall_now()))
      fail_check(readiness, "policy bundle", "has expired", true);
  }
  Missing missing;
  if (services.observatory->probe) missing = services.observatory->probe->unreachable();
  check_providers(services, missing, readiness);
  check_routes(services, missing, readiness);
  check_judges(services, missing, readiness);
  return readiness;
}

std::string Readiness::to_json(bool with_reasons) const {
  json::array failing;
  json::object parts;
  for (const auto& [part, state] : checks) {
    if (state != "ok") failing.emplace_back(part);
    parts[part] = state;
  }
  json::object out{{"ready", is_ready}, {"failing", std::move(failing)}};
  if (with_reasons) out["checks"] = std::move(parts);
  return json::serialize(out);
}

std::vector<DependencyProbe::Target> find_suspects(const Services& services) {
  std::vector<DependencyProbe::Target> suspects;
  const auto add = [&](const std::string& name, const Provider& provider) {
    if (provider.is_failing())
      suspects.push_back({name, provider.origin().host, provider.origin().port});
  };
  const auto providers = services.providers.current();
  for (const auto& provider : providers->all()) add(probe_name(*provider), *provider);
  for (const auto& voter : services.voters) add(guard_name(*voter), voter->provider());
  return suspects;
}

}  // namespace aispm::gateway
