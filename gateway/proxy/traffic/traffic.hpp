// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <atomic>
#include <map>
#include <memory>
#include <string>
#include <string_view>
#include <vector>

#include "gateway/proxy/traffic/answer_cache.hpp"
#include "gateway/proxy/traffic/breaker.hpp"
#include "gateway/proxy/traffic/config_traffic.hpp"
#include "gateway/proxy/traffic/figures.hpp"
#include "sdk/core/common/secret.hpp"

namespace aispm::gateway {

// Routes, circuits, shadows and kept answers of all workers. Any thread.
class Traffic {
 public:
  // A candidate of a route and what came of it.
  struct Arm {
    const CandidateConfig& config;
    Breaker& breaker;  // its provider's, which other arms may share
    ArmFigures figures = {};
  };
  struct Route {
    const RouteConfig& config;
    std::vector<std::unique_ptr<Arm>> arms = {};  // in the configuration's order
    std::unique_ptr<Arm> shadow = {};             // null: none
  };

  // `config` must outlive it.
  explicit Traffic(const TrafficConfig& config);

  const TrafficConfig& config() const { return config_; }
  const std::vector<std::unique_ptr<Route>>& routes() const { return routes_; }
  // Of every provider that a route names.
  const std::map<std::string, Breaker, std::less<>>& breakers() const { return breakers_; }
  AnswerCache& cache() { return cache_; }
  const AnswerCache& cache() const { return cache_; }
  // Answers about this model may be kept.
  bool keeps_answers_of(std::string_view model) const;

  // Room for one more shadow of that size; false: there is none. Each true needs a leave_shadow().
  bool enter_shadow(std::size_t bytes);
  void leave_shadow(std::size_t bytes);

 private:
  const TrafficConfig& config_;
  std::map<std::string, Breaker, std::less<>> breakers_;
  std::vector<std::unique_ptr<Route>> routes_;
  AnswerCache cache_;
  std::atomic<std::size_t> shadows_{0};
  std::atomic<std::size_t> shadow_bytes_{0};
};

// Whether one of the globs fits the model.
bool fits_model(const std::vector<std::string>& globs, std::string_view model);

// In which order the candidates of a route are asked: indices into its candidates. With weights the
// first is drawn for `who`, always the same for the same key and weights; the rest follow in their
// order.
std::vector<std::size_t> order_candidates(const RouteConfig& route, const Secret& key,
                                          std::string_view who);

}  // namespace aispm::gateway
