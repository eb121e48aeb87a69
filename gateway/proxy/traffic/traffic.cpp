// SPDX-License-Identifier: Apache-2.0
#include "gateway/proxy/traffic/traffic.hpp"

#include <algorithm>
#include <charconv>

#include "sdk/core/common/hmac.hpp"
#include "sdk/core/policy/glob.hpp"

namespace aispm::gateway {
namespace {

// A number of 64 bits that nobody without the key can foretell.
std::uint64_t draw(const Secret& key, const RouteConfig& route, std::string_view who) {
  std::string text = "route\n" + route.name + "\n";
  text.append(who);
  const std::string digest = hmac_sha256_hex(key, text);
  std::uint64_t number = 0;
  std::from_chars(digest.data(), digest.data() + 16, number, 16);
  return number;
}

}  // namespace

Traffic::Traffic(const TrafficConfig& config)
    : config_(config), cache_(config.cache.bytes, config.cache.ttl) {
  const auto make_arm = [&](const CandidateConfig& candidate) {
    Breaker& breaker = breakers_.try_emplace(candidate.provider, config_.breaker).first->second;
    return std::unique_ptr<Arm>(new Arm{candidate, breaker});
  };
  for (const RouteConfig& route : config_.routes) {
    auto made = std::unique_ptr<Route>(new Route{route});
    for (const CandidateConfig& candidate : route.candidates)
      made->arms.push_back(make_arm(candidate));
    if (route.shadow) made->shadow = make_arm(route.shadow->candidate);
    routes_.push_back(std::move(made));
  }
}

bool Traffic::keeps_answers_of(std::string_view model) const {
  return fits_model(config_.cache.models, model);
}

bool Traffic::enter_shadow(std::size_t bytes) {
  const std::size_t open = shadows_.fetch_add(1, std::memory_order_relaxed);
  const std::size_t held = shadow_bytes_.fetch_add(bytes, std::memory_order_relaxed);
  if (open < config_.shadow.concurrency && held + bytes <= config_.shadow.bytes) return true;
  leave_shadow(bytes);
  return false;
}

void Traffic::leave_shadow(std::size_t bytes) {
  shadows_.fetch_sub(1, std::memory_order_relaxed);
  shadow_bytes_.fetch_sub(bytes, std::memory_order_relaxed);
}

bool fits_model(const std::vector<std::string>& globs, std::string_view model) {
  return std::any_of(globs.begin(), globs.end(),
                     [&](const std::string& glob) { return policy::glob_matches(glob, model); });
}

std::vector<std::size_t> order_candidates(const RouteConfig& route, const Secret& key,
                                          std::string_view who) {
  std::vector<std::size_t> order;
  std::uint64_t weights = 0;
  for (const CandidateConfig& candidate : route.candidates) {
    order.push_back(order.size());
    weights += candidate.weight;
  }
  if (weights == 0) return order;
  // Less than 2^24 of weight in 2^64: what the remainder favours cannot be measured.
  std::uint64_t rest = draw(key, route, who) % weights;
  std::size_t chosen = 0;
  while (rest >= route.candidates[chosen].weight) rest -= route.candidates[chosen++].weight;
  const auto place = order.begin() + static_cast<std::ptrdiff_t>(chosen);
  std::rotate(order.begin(), place, place + 1);
  return order;
}

}  // namespace aispm::gateway
