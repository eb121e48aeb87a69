// SPDX-License-Identifier: Apache-2.0
#include "gateway/proxy/traffic/traffic_health.hpp"

namespace aispm::gateway {
namespace {

void add_arm(const std::string& name, const ArmFigures& figures, model::ComponentHealth& health) {
  const auto put = [&](const char* what, std::uint64_t value) {
    health.counters[name + "." + what] = value;
  };
  put("calls", figures.calls.load());
  put("errors", figures.errors.load());
  put("input_tokens", figures.input_tokens.load());
  put("output_tokens", figures.output_tokens.load());
  put("flagged", figures.flagged.load());
  put("denied", figures.denied.load());
  put("p50_us", figures.latency.percentile(0.5));
  put("p95_us", figures.latency.percentile(0.95));
  put("first_byte_p50_us", figures.first_byte.percentile(0.5));
}

}  // namespace

void add_traffic(const Traffic& traffic, model::ComponentHealth& health) {
  const auto now = Breaker::Time::clock::now();
  for (const auto& [provider, breaker] : traffic.breakers()) {
    const Breaker::State state = breaker.state(now);
    health.features["circuit." + provider] = std::string(name_of(state));
    health.counters["circuit." + provider + ".opened"] = breaker.times_opened();
    if (state != Breaker::State::kClosed)
      health.reasons.push_back("provider " + provider + " failed too often: its circuit is " +
                               std::string(name_of(state)));
  }
  for (const auto& route : traffic.routes()) {
    const std::string name = "route." + route->config.name + ".";
    for (const auto& arm : route->arms) add_arm(name + arm->config.arm, arm->figures, health);
    if (route->shadow)
      add_arm(name + "shadow." + route->shadow->config.arm, route->shadow->figures, health);
  }
  health.counters["cache_answers"] = traffic.cache().size();
  health.counters["cache_bytes"] = traffic.cache().size_bytes();
}

}  // namespace aispm::gateway
