// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <cstdint>
#include <memory>
#include <string>
#include <string_view>
#include <vector>

#include "sdk/core/common/result.hpp"
#include "sdk/core/policy/bundle.hpp"
#include "sdk/core/policy/glob.hpp"

// The bundles that one host is to have in force, and who of its agents gets which.
namespace aispm::policy {

enum class PolicyStage : std::uint8_t { kMonitor, kEnforced };

// Whom a policy is for. Empty lists: everybody.
struct PolicyScope {
  std::vector<Glob> agents;
  std::vector<std::string> tenants;
  std::uint32_t priority = 0;
};

struct AssignedPolicy {
  std::string id;
  std::uint64_t version = 0;
  PolicyStage stage = PolicyStage::kMonitor;
  PolicyScope scope;
  // Null: it cannot be used here and no older version is there. Whoever would have to ask it
  // denies.
  std::shared_ptr<const Bundle> bundle;
  std::string problem;       // why the version that was offered is not the one in force
  bool is_required = false;  // this host's own word: it comes before all that others assign
};

// As a collector offers one, not yet compiled.
struct OfferedPolicy {
  std::string id;
  std::uint64_t version = 0;
  PolicyStage stage = PolicyStage::kMonitor;
  PolicyScope scope;
  std::vector<FolderFile> files;  // sorted by path
  std::string digest;             // of the canonical form, as the collector knows it
};

// What this host made of one offered policy.
struct PolicyState {
  std::string id;
  std::uint64_t version = 0;
  std::string problem;  // empty: in force
};

struct PolicyRules {
  BundleOptions bundle;
  // Policies that must be enforced here whatever the collector says: nothing that it assigns comes
  // before them, their scope does not narrow them, and one that is not offered, or offered for
  // less, stays as it was; unless it was never there: then everybody is denied. Of several the
  // first by priority decides, so hosts name one.
  std::vector<std::string> required;
};

// Immutable; any thread.
class PolicyBook {
 public:
  static constexpr std::size_t kMaxPolicies = 256;

  // Valid as long as the book.
  struct Choice {
    const AssignedPolicy* enforced = nullptr;      // null: nobody decides about this agent
    std::vector<const AssignedPolicy*> monitored;  // judged beside it, recorded, never applied
  };

  PolicyBook() = default;
  // More than one version of a policy may stand in it: one enforced, one monitored beside it.
  explicit PolicyBook(std::vector<AssignedPolicy> policies, std::uint64_t version = 0);

  // Of the enforced ones that fit the required one, else the one with the lowest priority number,
  // then by id. Allocates only where something is monitored. An empty tenant fits policies that
  // name none.
  Choice choose(std::string_view agent, std::string_view tenant) const;

  // The collector's registry, which every bundle of the book was compiled with; null: it has none.
  const std::shared_ptr<const RegistryPart>& registry() const { return registry_; }
  void set_registry(std::shared_ptr<const RegistryPart> registry) {
    registry_ = std::move(registry);
  }

  bool empty() const { return policies_.empty(); }
  const std::vector<AssignedPolicy>& policies() const { return policies_; }
  std::uint64_t version() const { return version_; }

 private:
  std::vector<AssignedPolicy> policies_;  // required ones, then by priority, id, stage
  std::shared_ptr<const RegistryPart> registry_;
  std::uint64_t version_ = 0;  // of the collector's snapshot
};

struct PolicyUpdate {
  std::shared_ptr<const PolicyBook> book;
  std::vector<PolicyState> states;  // one for each that was offered
};

// A book by which everybody is denied: what is to be in force is not known.
std::shared_ptr<const PolicyBook> closed_book(const std::string& reason);

// Of the collector's registry itself: it decides where no other policy does.
inline constexpr std::uint32_t kRegistryPriority = UINT32_MAX;

// The next book. A policy of the name kRegistryPolicy is the collector's registry: all others are
// compiled with it, so that one book never has two; where it cannot be used and there is no older
// one, everybody is denied. Bundles that are in `previous` are taken over as they are. What cannot
// be compiled, is not signed as it must be or does not have its digest leaves in force what
// `previous` had of that policy, and says why.
PolicyUpdate update_book(const PolicyBook& previous, std::vector<OfferedPolicy> offered,
                         std::uint64_t version, const PolicyRules& rules);

}  // namespace aispm::policy
