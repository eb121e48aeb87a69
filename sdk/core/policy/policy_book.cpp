// SPDX-License-Identifier: Apache-2.0
#include "sdk/core/policy/policy_book.hpp"

#include <algorithm>
#include <tuple>

namespace aispm::policy {
namespace {

constexpr std::size_t kMaxProblemBytes = 512;

bool fits(const PolicyScope& scope, std::string_view agent, std::string_view tenant) {
  const bool is_agent =
      scope.agents.empty() || std::any_of(scope.agents.begin(), scope.agents.end(),
                                          [&](const Glob& glob) { return glob.matches(agent); });
  const bool is_tenant =
      scope.tenants.empty() || std::any_of(scope.tenants.begin(), scope.tenants.end(),
                                           [&](const std::string& one) { return one == tenant; });
  return is_agent && is_tenant;
}

const AssignedPolicy* find(const PolicyBook& book, const std::string& id, PolicyStage stage) {
  for (const AssignedPolicy& one : book.policies())
    if (one.id == id && one.stage == stage) return &one;
  return nullptr;
}

// The bundle of an offered policy: the one at hand where its content is the same.
Result<std::shared_ptr<const Bundle>> bundle_of(const PolicyBook& previous,
                                                const OfferedPolicy& offer,
                                                const PolicyRules& rules) {
  const std::string digest = bundle_digest(offer.files);
  if (digest != offer.digest)
    return fail(Errc::kDenied, "its files are not those that the collector speaks of: digest " +
                                   digest.substr(0, 12) + ", not " + offer.digest.substr(0, 12));
  for (const AssignedPolicy& one : previous.policies())
    if (one.id == offer.id && one.version == offer.version && one.bundle &&
        one.bundle->version() == digest &&
        (offer.id == kRegistryPolicy || one.bundle->registry() == rules.bundle.registry))
      return one.bundle;
  return Bundle::compile(offer.files, rules.bundle);
}

bool is_required(const PolicyRules& rules, const std::string& id) {
  return std::find(rules.required.begin(), rules.required.end(), id) != rules.required.end();
}

// Those that must be enforced and are not: as they were, or denying.
void keep_required(const PolicyBook& previous, const PolicyRules& rules,
                   std::vector<AssignedPolicy>& next) {
  for (const std::string& id : rules.required) {
    const bool is_there = std::any_of(next.begin(), next.end(), [&](const AssignedPolicy& one) {
      return one.id == id && one.stage == PolicyStage::kEnforced;
    });
    if (is_there) continue;
    if (const AssignedPolicy* before = find(previous, id, PolicyStage::kEnforced)) {
      next.push_back(*before);
      next.back().is_required = true;
      continue;
    }
    AssignedPolicy missing;
    missing.id = id;
    missing.stage = PolicyStage::kEnforced;
    missing.is_required = true;
    missing.problem = "this host must enforce it, and the collector never assigned it";
    next.push_back(std::move(missing));
  }
}

}  // namespace

PolicyBook::PolicyBook(std::vector<AssignedPolicy> policies, std::uint64_t version)
    : policies_(std::move(policies)), version_(version) {
  std::stable_sort(policies_.begin(), policies_.end(),
                   [](const AssignedPolicy& left, const AssignedPolicy& right) {
                     const auto key = [](const AssignedPolicy& one) {
                       return std::tuple(!one.is_required, one.scope.priority,
                                         std::string_view(one.id), one.stage);
                     };
                     return key(left) < key(right);
                   });
}

PolicyBook::Choice PolicyBook::choose(std::string_view agent, std::string_view tenant) const {
  Choice choice;
  for (const AssignedPolicy& one : policies_) {
    if (one.stage == PolicyStage::kEnforced && choice.enforced != nullptr) continue;
    if (!fits(one.scope, agent, tenant)) continue;
    if (one.stage == PolicyStage::kEnforced)
      choice.enforced = &one;
    else
      choice.monitored.push_back(&one);
  }
  return choice;
}

std::shared_ptr<const PolicyBook> closed_book(const std::string& reason) {
  AssignedPolicy unknown;
  unknown.id = "aispm.unknown";
  unknown.stage = PolicyStage::kEnforced;
  unknown.problem = reason;
  return std::make_shared<const PolicyBook>(std::vector<AssignedPolicy>{std::move(unknown)});
}

namespace {

// Its bundle; what is in force of it where it cannot be used; a policy that denies everybody where
// nothing is.
AssignedPolicy assign_registry(const PolicyBook& previous, const OfferedPolicy& offer,
                               const PolicyRules& rules, std::string& problem) {
  AssignedPolicy one;
  one.id = offer.id;
  one.version = offer.version;
  one.stage = PolicyStage::kEnforced;
  one.scope.priority = kRegistryPriority;
  auto bundle = bundle_of(previous, offer, rules);
  if (bundle && (*bundle)->registry()) {
    one.bundle = std::move(*bundle);
    return one;
  }
  problem = bundle ? std::string(kRegistryFile) + ": is missing" : bundle.error().message;
  one.problem = problem;
  const AssignedPolicy* const before = find(previous, offer.id, PolicyStage::kEnforced);
  if (before != nullptr && before->bundle) {
    one.bundle = before->bundle;
    one.version = before->version;
  }
  one.is_required = !one.bundle;
  return one;
}

}  // namespace

PolicyUpdate update_book(const PolicyBook& previous, std::vector<OfferedPolicy> offered,
                         std::uint64_t version, const PolicyRules& given) {
  PolicyUpdate update;
  std::vector<AssignedPolicy> next;
  PolicyRules rules = given;
  const auto registry = std::find_if(offered.begin(), offered.end(), [](const auto& offer) {
    return offer.id == kRegistryPolicy && offer.stage == PolicyStage::kEnforced;
  });
  if (registry != offered.end()) {
    PolicyState state{registry->id, registry->version, ""};
    next.push_back(assign_registry(previous, *registry, given, state.problem));
    if (state.problem.size() > kMaxProblemBytes) state.problem.resize(kMaxProblemBytes);
    update.states.push_back(std::move(state));
    if (next.front().bundle) rules.bundle.registry = next.front().bundle->registry();
    offered.erase(registry);
  }
  for (OfferedPolicy& offer : offered) {
    auto bundle = next.size() < PolicyBook::kMaxPolicies
                      ? bundle_of(previous, offer, rules)
                      : Result<std::shared_ptr<const Bundle>>(
                            fail(Errc::kTooLarge, "more than 256 policies for one host"));
    PolicyState state{offer.id, offer.version, bundle ? "" : bundle.error().message};
    if (state.problem.size() > kMaxProblemBytes) state.problem.resize(kMaxProblemBytes);
    const bool required = is_required(rules, offer.id);
    if (required) {
      offer.scope.agents.clear();
      offer.scope.tenants.clear();
    }
    AssignedPolicy one{offer.id, offer.version, offer.stage, std::move(offer.scope), {},
                       {},       required};
    if (bundle) {
      one.bundle = std::move(*bundle);
      next.push_back(std::move(one));
    } else if (one.stage == PolicyStage::kEnforced) {
      // What is monitored decides nothing: nothing has to stand in for it.
      const AssignedPolicy* before = find(previous, one.id, PolicyStage::kEnforced);
      if (before != nullptr && before->bundle) {
        one.bundle = before->bundle;
        one.version = before->version;
      }
      one.problem = state.problem;
      next.push_back(std::move(one));
    }
    update.states.push_back(std::move(state));
  }
  keep_required(previous, rules, next);
  const auto book = std::make_shared<PolicyBook>(std::move(next), version);
  book->set_registry(rules.bundle.registry);
  update.book = book;
  return update;
}

}  // namespace aispm::policy
