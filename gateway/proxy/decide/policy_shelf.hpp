// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <atomic>
#include <memory>
#include <string>
#include <vector>

#include "gateway/proxy/decide/config_decide.hpp"
#include "sdk/core/common/time.hpp"
#include "sdk/core/policy/bundle.hpp"

namespace aispm::gateway {

// One bundle as the gateway uses it. Immutable; any thread.
struct PolicyView {
  std::string id;                                // "local", or the collector's id
  std::shared_ptr<const policy::Bundle> bundle;  // null: everything is denied, by `problem_rule`
  std::string problem;
  std::string problem_rule;  // "policy.unsigned"
  bool enforced = true;      // false: judged and recorded, not applied
  bool has_tools = false;    // which Rego modules the bundle has
  bool has_prompt = false;
  bool has_output = false;

  static std::shared_ptr<const PolicyView> make(std::string id,
                                                std::shared_ptr<const policy::Bundle> bundle,
                                                bool enforced);
  bool is_expired(WallTime now) const;
  const std::string& version() const;
};

// What decides about one exchange: taken at its start and kept to its end.
struct PolicySet {
  std::shared_ptr<const PolicyView> enforced;  // null: nothing about actions is applied
  std::vector<std::shared_ptr<const PolicyView>> monitored;
  bool empty() const { return !enforced && monitored.empty(); }
};

// This host's own bundle. A reload compiles beside it and swaps; a failed one changes nothing. Any
// thread, but one at a time reloads.
class PolicyShelf {
 public:
  explicit PolicyShelf(const BundleConfig& config) : config_(config) {}

  // Errors name file and line. A first bundle without the signature that it must have is no error:
  // then everything is denied.
  Result<> reload();
  // Null: none is configured, or none was loaded yet.
  std::shared_ptr<const PolicyView> local() const { return local_.load(std::memory_order_acquire); }
  bool is_configured() const { return !config_.folder.empty(); }

 private:
  const BundleConfig& config_;
  std::atomic<std::shared_ptr<const PolicyView>> local_;
};

}  // namespace aispm::gateway
