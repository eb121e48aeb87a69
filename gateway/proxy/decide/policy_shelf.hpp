// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <map>
#include <memory>
#include <mutex>
#include <string>
#include <utility>
#include <vector>

#include "gateway/proxy/decide/config_decide.hpp"
#include "sdk/core/common/published.hpp"
#include "sdk/core/common/time.hpp"
#include "sdk/core/policy/bundle.hpp"

namespace aispm::gateway {

// Which of the Rego modules that a gateway asks stand in a bundle.
struct RegoModules {
  bool agent = false;
  bool tools = false;
  bool prompt = false;
  bool output = false;
};

// One bundle as the gateway uses it. Immutable; any thread.
struct PolicyView {
  std::string id;                                // "local", or the collector's id
  std::shared_ptr<const policy::Bundle> bundle;  // null: everything is denied, by `problem_rule`
  std::string problem;
  std::string problem_rule;  // "policy.unsigned", "policy.unusable"
  bool enforced = true;      // false: judged and recorded, not applied
  RegoModules modules;
  std::vector<policy::FolderFile> files;  // of this host's own bundle, as they were loaded

  static std::shared_ptr<const PolicyView> make(std::string id,
                                                std::shared_ptr<const policy::Bundle> bundle,
                                                bool enforced,
                                                std::vector<policy::FolderFile> files = {});
  // One that denies everything.
  static std::shared_ptr<const PolicyView> denying(std::string id, bool enforced, std::string rule,
                                                   std::string problem);
  bool is_expired(WallTime now) const;
  const std::string& version() const;
};

// What the bundle says about detection; null: nothing. Also null for no view.
std::shared_ptr<const policy::DetectPart> detect_part(const PolicyView* view);

// What decides about one exchange: taken at its start and kept to its end.
struct PolicySet {
  std::shared_ptr<const PolicyView> enforced;  // null: nothing about actions is applied
  std::vector<std::shared_ptr<const PolicyView>> monitored;
  bool empty() const { return !enforced && monitored.empty(); }
  // How risk is summed up: the enforced bundle's way, else the usual one.
  const policy::RiskModel& risk() const;
};

// The views of bundles that come from elsewhere, each made once. Any thread.
class PolicyViews {
 public:
  static constexpr std::size_t kMaxViews = 1024;
  // Null bundle: everything is denied, because of `problem`.
  std::shared_ptr<const PolicyView> of(const std::string& id,
                                       const std::shared_ptr<const policy::Bundle>& bundle,
                                       bool enforced, const std::string& problem);

 private:
  std::mutex mutex_;
  std::map<std::pair<const policy::Bundle*, std::string>, std::shared_ptr<const PolicyView>> views_;
};

// This host's own bundle. A reload compiles beside it and swaps; a failed one changes nothing. Any
// thread, but one at a time reloads.
class PolicyShelf {
 public:
  // `agents`: for bundles that name none themselves. Both outlive the shelf.
  PolicyShelf(const BundleConfig& config, const policy::AgentRegistry& agents)
      : config_(config), agents_(agents) {}

  // Errors name file and line. A first bundle without the signature that it must have is no error:
  // then everything is denied.
  Result<> reload();
  // The same files with another registry of the collector's; null: it has none. What changed in
  // the folder meanwhile waits for a reload. An error leaves in force what was.
  Result<> take_registry(std::shared_ptr<const policy::RegistryPart> registry);
  // The two halves of a reload. Null: none is configured.
  Result<std::shared_ptr<const PolicyView>> load() const;
  void take(std::shared_ptr<const PolicyView> view);
  // Null: none is configured, or none was loaded yet.
  std::shared_ptr<const PolicyView> local() const { return local_.load(); }
  bool is_configured() const { return !config_.folder.empty(); }

 private:
  policy::BundleOptions options() const;

  const BundleConfig& config_;
  const policy::AgentRegistry& agents_;
  Published<const policy::RegistryPart> registry_;
  Published<const PolicyView> local_;
};

}  // namespace aispm::gateway
