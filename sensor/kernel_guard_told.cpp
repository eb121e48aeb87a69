// SPDX-License-Identifier: Apache-2.0
// What the guard tells of itself: how each order stands, and its health.
#include <algorithm>

#include "sensor/kernel_guard.hpp"

namespace aispm::sensor {

// An order about a process that nobody can see holds nobody.
void KernelGuard::note_absent() {
  std::erase_if(placed_, [&](const std::string& id) {
    return std::ranges::none_of(collector_orders_, [&](const auto& one) { return one.id == id; });
  });
  for (const model::Order& order : collector_orders_) {
    const model::ProcessId& process = order.match.process;
    if (process.pid == 0 || placed_.contains(order.id)) continue;
    if (decider_.is_running(process))
      placed_.insert(order.id);
    else
      problems_.try_emplace(order.id, "no process " + std::to_string(process.pid) +
                                          " with that start runs here: it has ended, or its pid "
                                          "is counted in another namespace");
  }
}

void KernelGuard::tell_states() {
  if (!on_applied_) return;
  std::vector<OrderState> states;
  for (const model::Order& order : collector_orders_) {
    const auto problem = problems_.find(order.id);
    const bool has_engine = order.detection.empty() || engine_problem_.empty();
    states.push_back({order.id, problem != problems_.end() ? problem->second
                                : has_engine               ? apply_problem_
                                                           : engine_problem_});
  }
  on_applied_(applied_version_, std::move(states));
}

void KernelGuard::add_health(model::ComponentHealth& health) const {
  static constexpr const char* kActs[AISPM_ACTS] = {"connect", "hello",        "exec",   "socket",
                                                    "write",   "kernel_write", "tamper", "cut"};
  for (const auto& [name, value] : enforcer_->features()) health.features[name] = value;
  for (const std::string& reason : enforcer_->reasons()) health.reasons.push_back(reason);
  if (!last_error_.empty()) health.reasons.push_back("orders are not all in force: " + last_error_);
  for (const auto& [id, problem] : problems_)
    health.reasons.push_back("order " + id + " is not in force: " + problem);
  if (!engine_problem_.empty())
    health.reasons.push_back("orders that look into prompts are not in force: " + engine_problem_);
  health.counters["enforce.pins_found"] = enforcer_->found_links();
  health.counters["enforce.orders"] = collector_orders_.size() + parts_.config.rules.size();
  health.counters["enforce.apply_us"] = last_apply_us_;
  health.counters["enforce.prompts_scanned"] = scans_;
  health.losses["enforce.failures"] = failures_;
  if (!enforcer_->is_loaded()) return;
  const Effects effects = enforcer_->effects();
  for (std::size_t act = 0; act < AISPM_ACTS; ++act) {
    health.counters[std::string("enforce.denied.") + kActs[act]] = effects[act];
    health.counters[std::string("enforce.reported.") + kActs[act]] = effects[AISPM_ACTS + act];
  }
  health.counters["enforce.kills"] = effects[AISPM_EFFECT_KILLS];
  health.losses["enforce.events_lost"] = effects[AISPM_EFFECT_LOST_EVENTS];
  health.losses["enforce.children_lost"] = effects[AISPM_EFFECT_LOST_CHILDREN];
}

}  // namespace aispm::sensor
