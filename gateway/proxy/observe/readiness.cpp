// SPDX-License-Identifier: Apache-2.0
#include "gateway/proxy/observe/readiness.hpp"

#include <boost/json/array.hpp>
#include <boost/json/object.hpp>
#include <boost/json/serialize.hpp>

#include "gateway/proxy/observe/observatory.hpp"
#include "gateway/proxy/services.hpp"

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

// A provider that is missing matters where no other speaks its protocol.
void check_providers(const Services& services, const std::map<std::string, std::string>& missing,
                     Readiness& readiness) {
  std::map<Dialect, bool> usable;
  const auto providers = services.providers.current();
  for (const auto& provider : providers->all()) {
    const bool is_there =
        provider->config().missing_key.empty() && !missing.contains(probe_name(*provider));
    usable[provider->config().dialect] |= is_there;
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

void check_judges(const Services& services, const std::map<std::string, std::string>& missing,
                  Readiness& readiness) {
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
  std::map<std::string, std::string> missing;
  if (services.observatory->probe) missing = services.observatory->probe->unreachable();
  check_providers(services, missing, readiness);
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
