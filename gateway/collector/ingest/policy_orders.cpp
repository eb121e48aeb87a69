// SPDX-License-Identifier: Apache-2.0
#include "gateway/collector/ingest/policy_orders.hpp"

#include <algorithm>
#include <optional>

#include "gateway/collector/store/order_book.hpp"
#include "sdk/core/common/crypto.hpp"
#include "sdk/core/model/order_yaml.hpp"
#include "sdk/core/policy/bundle.hpp"
#include "sdk/core/policy/glob.hpp"
#include "sdk/core/report/order_convert.hpp"

namespace aispm::collector {
namespace {

constexpr std::size_t kIdDigits = 32;

bool is_for(const pb::PolicyScope& scope, const std::string& tenant) {
  const auto& tenants = scope.tenants();
  return tenants.empty() || std::find(tenants.begin(), tenants.end(), tenant) != tenants.end();
}

const std::string* sensor_file(const pb::PolicySnapshot::Assigned& policy) {
  for (const pb::PolicyFile& file : policy.files())
    if (file.path() == policy::Bundle::kSensorFile) return &file.content();
  return nullptr;
}

bool has_wildcard(const std::string& text) { return text.find_first_of("*?") != std::string::npos; }

// Whether `wide` fits whatever `narrow` fits: asked with the shortest name that `narrow` stands for
// and with one that only a `*` can fit, made of a letter that names cannot hold.
bool covers(const std::string& wide, const std::string& narrow) {
  for (const std::size_t many : {std::size_t{0}, wide.size() + 1}) {
    std::string name;
    for (const char c : narrow) name.append(c == '*' ? many : 1, c == '*' || c == '?' ? '\1' : c);
    if (!policy::glob_matches(wide, name)) return false;
  }
  return true;
}

// Whom a rule is about that names `own` agents, in a policy for `scope`. Nothing: nobody. Where it
// cannot be said whether two globs meet, those of the policy: too many rather than too few. An
// exception from other rules is then one for nobody.
std::optional<std::string> both(const model::Order& order, const std::string& scope) {
  const std::string& own = order.match.agent_id;
  if (own.empty() || covers(own, scope)) return scope;
  if (covers(scope, own)) return own;
  const bool may_meet = has_wildcard(own) && has_wildcard(scope);
  if (!may_meet || order.action == model::OrderAction::kAllow) return std::nullopt;
  return scope;
}

// One for each part of the policy's scope that the order is about.
std::vector<model::Order> within(const model::Order& order, const pb::PolicyScope& scope) {
  if (scope.agents().empty()) return {order};
  std::vector<model::Order> parts;
  for (const std::string& agents : scope.agents()) {
    const auto agent = both(order, agents);
    if (!agent) continue;
    parts.push_back(order);
    parts.back().match.agent_id = *agent;
  }
  return parts;
}

// The same for as long as the policy says the same, so that a sensor's tables need not change.
std::string id_of(const std::string& policy, std::uint64_t version, const model::Order& order) {
  return "policy." + sha256_hex(policy + "\n" + std::to_string(version) + "\n" + order.id + "\n" +
                                order.match.agent_id)
                         .substr(0, kIdDigits);
}

std::vector<pb::Order> give(const pb::PolicySnapshot::Assigned& policy,
                            const std::vector<model::Order>& rules) {
  std::vector<pb::Order> orders;
  for (const model::Order& rule : rules) {
    for (model::Order& order : within(rule, policy.scope())) {
      order.created_by = "policy " + policy.policy_id() + "@" + std::to_string(policy.version()) +
                         ", rule " + rule.id;
      order.id = id_of(policy.policy_id(), policy.version(), order);
      order.enforces = order.enforces && policy.stage() == pb::POLICY_STAGE_ENFORCED;
      orders.push_back(report::to_proto(order));
    }
  }
  return orders;
}

}  // namespace

PolicyOrders orders_of(const pb::PolicySnapshot& snapshot, const std::string& tenant,
                       std::size_t room) {
  PolicyOrders given;
  for (const auto& policy : snapshot.policies()) {
    const std::string* const file = sensor_file(policy);
    if (file == nullptr || !is_for(policy.scope(), tenant)) continue;
    given.policies.push_back({policy.policy_id(), policy.version(), ""});
    std::string& problem = given.policies.back().problem;
    const auto rules = model::parse_bundle_orders(*file, policy::Bundle::kSensorFile);
    if (!rules) {
      problem = rules.error().message;
      continue;
    }
    std::vector<pb::Order> orders = give(policy, *rules);
    if (orders.size() > room) {
      problem = "sensors have room for " + std::to_string(room) + " more rules, this has " +
                std::to_string(orders.size());
      continue;
    }
    room -= orders.size();
    for (pb::Order& order : orders) {
      given.sources.emplace(order.id(), given.policies.size() - 1);
      given.orders.push_back(std::move(order));
    }
  }
  return given;
}

pb::AckPoliciesRequest policy_states(const PolicyOrders& given,
                                     const pb::AckOrdersRequest& request) {
  std::map<std::string, std::string> said;
  for (const auto& state : request.states()) said[state.order_id()] = state.problem();
  std::vector<std::string> problems;
  std::vector<bool> is_complete(given.policies.size(), true);
  for (const PolicyOrders::Policy& policy : given.policies) problems.push_back(policy.problem);
  for (const auto& [order, source] : given.sources) {
    const auto state = said.find(order);
    if (state == said.end())
      is_complete[source] = false;
    else if (problems[source].empty())
      problems[source] = state->second;
  }
  pb::AckPoliciesRequest states;
  for (std::size_t i = 0; i < given.policies.size(); ++i) {
    // A word on an older snapshot says nothing about this version.
    if (!is_complete[i]) continue;
    auto* const state = states.add_states();
    state->set_policy_id(given.policies[i].id);
    state->set_version(given.policies[i].version);
    state->set_problem(problems[i]);
  }
  return states;
}

Result<> check_sensor_orders(const std::vector<model::Order>& orders) {
  for (const model::Order& order : orders)
    if (auto checked = store::check_order(report::to_proto(order)); !checked)
      return fail(checked.error().code, std::string(policy::Bundle::kSensorFile) + ": rule " +
                                            order.id + ": " + checked.error().message);
  return {};
}

}  // namespace aispm::collector
