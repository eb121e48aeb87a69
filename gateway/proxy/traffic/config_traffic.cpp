// SPDX-License-Identifier: Apache-2.0
#include <algorithm>

#include "gateway/proxy/config_detect.hpp"

namespace aispm::gateway {
namespace {

constexpr std::size_t kMaxName = 64;
// Each has figures of its own in the gateway's health, which has room for a thousand.
constexpr std::size_t kMaxArms = 64;

// Names go into headers and into the keys of figures.
bool is_word(std::string_view text) {
  return !text.empty() && text.size() <= kMaxName &&
         std::all_of(text.begin(), text.end(), [](char c) {
           return (c >= '0' && c <= '9') || (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') ||
                  c == '-' || c == '_' || c == '.' || c == ':' || c == '/';
         });
}

CandidateConfig read_candidate(const YamlMap& map, const Config& config) {
  CandidateConfig candidate;
  candidate.provider = map.required_text("provider");
  const bool is_known = std::any_of(
      config.providers.begin(), config.providers.end(),
      [&](const ProviderConfig& provider) { return provider.name == candidate.provider; });
  if (!is_known)
    map.reject("provider", "no provider is called '" + candidate.provider + "'; see `providers`");
  if (!is_word(candidate.provider))
    map.reject("provider", "in routes a name is 1 to 64 of letters, digits and - _ . : /");
  candidate.model = map.text("model", "");
  if (candidate.model.size() > 256) map.reject("model", "longer than 256 bytes");
  candidate.weight =
      static_cast<std::uint32_t>(map.integer("weight", 0, {0, CandidateConfig::kMaxWeight}));
  std::string usual = candidate.provider;
  if (!candidate.model.empty()) usual += "/" + candidate.model;
  candidate.arm = map.text("name", usual.substr(0, kMaxName));
  if (!is_word(candidate.arm))
    map.reject(map.has("name") ? "name" : "model",
               "the name of a candidate is 1 to 64 of letters, digits and - _ . : /; `name` gives "
               "one");
  return candidate;
}

std::vector<int> read_statuses(const YamlMap& map, std::vector<int> usual) {
  if (!map.has("retry_on")) return usual;
  std::vector<int> statuses;
  for (const std::string& text : map.texts("retry_on")) {
    const bool is_number =
        text.size() == 3 && text.find_first_not_of("0123456789") == std::string::npos;
    const int status = is_number ? std::stoi(text) : 0;
    const bool is_retryable = status >= 500 || status == 401 || status == 403 || status == 404 ||
                              status == 408 || status == 409 || status == 425 || status == 429;
    if (!is_retryable || status > 599)
      map.reject("retry_on", "'" + text +
                                 "': allowed are 401, 403, 404, 408, 409, 425, 429 and 500 "
                                 "to 599");
    statuses.push_back(status);
  }
  return statuses;
}

void check_arms(const YamlMap& map, const RouteConfig& route) {
  std::vector<std::string> names;
  for (const CandidateConfig& candidate : route.candidates) names.push_back(candidate.arm);
  if (route.shadow) names.push_back(route.shadow->candidate.arm);
  std::sort(names.begin(), names.end());
  const auto twice = std::adjacent_find(names.begin(), names.end());
  if (twice != names.end())
    map.reject("providers", "two candidates are called '" + *twice + "'; `name` tells them apart");
}

RouteConfig read_route(const YamlMap& map, const Config& config) {
  RouteConfig route;
  route.name = map.required_text("name");
  if (!is_word(route.name)) map.reject("name", "1 to 64 of letters, digits and - _ . : /");
  route.models = map.texts("models");
  if (route.models.empty()) map.reject("models", "fits no model; ['*'] fits all");
  for (const YamlMap& one : map.maps("providers"))
    route.candidates.push_back(read_candidate(one, config));
  if (route.candidates.empty() || route.candidates.size() > RouteConfig::kMaxCandidates)
    map.reject("providers", "1 to 16 candidates, each with `provider`");
  if (map.has("shadow")) {
    const YamlMap shadow = map.map("shadow");
    route.shadow =
        ShadowConfig{.candidate = read_candidate(shadow, config),
                     .percent = static_cast<unsigned>(shadow.integer("percent", 100, {1, 100}))};
    if (route.shadow->candidate.weight != 0)
      shadow.reject("weight", "a shadow answers nobody; `percent` says how often it is asked");
  }
  check_arms(map, route);
  route.retry_on = read_statuses(map, std::move(route.retry_on));
  route.attempts = static_cast<std::size_t>(
      map.integer("attempts",
                  static_cast<std::int64_t>(std::max<std::size_t>(
                      1, std::min(route.candidates.size(), RouteConfig::kMaxAttempts))),
                  {1, static_cast<std::int64_t>(RouteConfig::kMaxAttempts)}));
  route.first_byte = map.duration("first_byte", config.limits.upstream_reply);
  route.deadline = map.duration("deadline", config.limits.upstream_reply);
  route.backoff = map.duration("backoff", route.backoff);
  return route;
}

BreakerConfig read_breaker(const YamlMap& map) {
  BreakerConfig breaker;
  const auto number = [&](const char* key, std::uint32_t usual, std::int64_t high) {
    return static_cast<std::uint32_t>(map.integer(key, usual, {1, high}));
  };
  breaker.failures = number("failures", breaker.failures, 100'000);
  breaker.percent = number("percent", breaker.percent, 100);
  breaker.calls = number("calls", breaker.calls, 100'000);
  breaker.window = map.duration("window", breaker.window);
  breaker.cooldown = map.duration("cooldown", breaker.cooldown);
  return breaker;
}

ShadowLimits read_shadow_limits(const YamlMap& map) {
  ShadowLimits limits;
  limits.concurrency = static_cast<std::size_t>(map.integer("concurrency", 16, {1, 4096}));
  limits.bytes = map.size_bytes("bytes", limits.bytes, 4ULL << 30U);
  limits.deadline = map.duration("deadline", limits.deadline);
  return limits;
}

CacheConfig read_cache(const YamlMap& map) {
  CacheConfig cache;
  cache.models = map.texts("models");
  cache.all = map.choice("answers", "deterministic", {"deterministic", "all"}) == "all";
  cache.whole_tenant = map.choice("scope", "agent", {"agent", "tenant"}) == "tenant";
  cache.bytes = map.size_bytes("bytes", cache.bytes, 16ULL << 30U);
  cache.entry_bytes = map.size_bytes("entry_bytes", cache.entry_bytes, 256ULL << 20U);
  cache.ttl = map.duration("ttl", cache.ttl);
  return cache;
}

}  // namespace

TrafficConfig read_traffic(const YamlMap& root, const Config& config) {
  TrafficConfig traffic;
  std::size_t arms = 0;
  for (const YamlMap& map : root.maps("routes")) {
    RouteConfig route = read_route(map, config);
    for (const RouteConfig& other : traffic.routes)
      if (other.name == route.name) map.reject("name", "route '" + route.name + "' is given twice");
    arms += route.candidates.size() + (route.shadow ? 1 : 0);
    traffic.routes.push_back(std::move(route));
  }
  if (traffic.routes.size() > TrafficConfig::kMaxRoutes) root.reject("routes", "more than 64");
  if (arms > kMaxArms) root.reject("routes", "more than 64 candidates in all");
  const YamlMap map = root.map("traffic");
  traffic.breaker = read_breaker(map.map("breaker"));
  traffic.shadow = read_shadow_limits(map.map("shadow"));
  traffic.cache = read_cache(map.map("cache"));
  return traffic;
}

}  // namespace aispm::gateway
