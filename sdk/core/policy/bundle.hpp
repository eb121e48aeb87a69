// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <functional>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "sdk/core/common/secret.hpp"
#include "sdk/core/model/order.hpp"
#include "sdk/core/policy/action_policy.hpp"
#include "sdk/core/policy/agent_registry.hpp"
#include "sdk/core/policy/command_governor.hpp"
#include "sdk/core/policy/registry_part.hpp"
#include "sdk/core/policy/rego.hpp"
#include "sdk/core/policy/risk.hpp"
#include "sdk/core/policy/safe_folder.hpp"
#include "sdk/core/policy/sandbox_rules.hpp"
#include "sdk/core/policy/tool_gate.hpp"

// A policy bundle is a folder:
//
//   actions.yaml     rules over actions (action_policy.hpp)
//   commands.yaml    rules over shell commands: {defaults: {outcome}, rules: [{id, command,
//   outcome, reason}]} risk.yaml        weights and thresholds (risk.hpp) rego/*.rego      Rego
//   modules; tests/ below it is not loaded data.json        what the modules see as `data`
//   tools.yaml       which tools may be called by whom, and how often (tool_gate.hpp)
//   sensor.yaml      what sensors enforce in the kernel (model/order_yaml.hpp)
//   detect.yaml      thresholds and rules of detection (detect/bundle_rules.hpp)
//   sandbox.yaml     what sandboxes may do (sandbox_rules.hpp)
//   pins.yaml        what was approved and blocked of them (`aispm tool approve`)
//   agents.yaml      who the agents are: roles, scopes, trust (agent_registry.hpp)
//   registry.yaml    what people decided in the collector about both (registry_part.hpp)
//   bundle.sig       the signature (`aispm policy sign`)
//
// All but the signature is optional; files of other names are refused, so that nothing is thought
// to be in force that is not.
namespace aispm::policy {

// `detect.yaml` as it stands. What it says belongs to an engine beside this library.
struct DetectPart {
  std::string path;
  std::string text;
  std::string digest;  // SHA-256 (hex) of the text
};

struct BundleOptions {
  std::vector<std::string> trusted_keys;  // public keys, PEM; a signature must then hold
  bool must_be_signed = false;  // then a bundle without a trusted key's signature is refused
  // Checks a detect.yaml, or makes it ready for use; its error is the bundle's. Asked last. Empty:
  // who compiles the bundle does not detect anything, or checks it elsewhere.
  std::function<Result<>(const std::shared_ptr<const DetectPart>&)> take_detect = {};
  // The collector's registry, which counts beside the bundle's own files and is no part of its
  // version; null: none, or the bundle's registry.yaml.
  std::shared_ptr<const RegistryPart> registry = {};
  // Who the agents are for bundles that do not say it themselves; outlives the call. Null: nobody.
  const AgentRegistry* host_agents = nullptr;
};

// Immutable; any thread.
class Bundle {
 public:
  static constexpr const char* kSignatureFile = "bundle.sig";

  // Errors name file and line, or which rule of safe loading was broken (read_safe_folder()).
  static Result<std::shared_ptr<const Bundle>> load(const std::string& folder,
                                                    const BundleOptions& options = {});
  static Result<std::shared_ptr<const Bundle>> compile(const std::vector<FolderFile>& files,
                                                       const BundleOptions& options = {});

  const ActionPolicy* actions() const { return actions_.get(); }  // null: the bundle has none
  const CommandGovernor* commands() const { return commands_ ? &*commands_ : nullptr; }
  const ToolGate* tools() const { return tools_ ? &*tools_ : nullptr; }
  // With those of the registry; null: neither it nor the bundle names any.
  const AgentRegistry* agents() const { return agents_ ? &*agents_ : nullptr; }
  // The bundle itself says who the agents are.
  bool has_agents_file() const { return has_agents_file_; }
  const std::shared_ptr<const RegistryPart>& registry() const { return registry_; }  // null: none
  const Rego* rego() const { return rego_ ? &*rego_ : nullptr; }
  static constexpr const char* kSensorFile = "sensor.yaml";
  // For sensors, with the ids and modes of the file.
  const std::vector<model::Order>& sensor_orders() const { return sensor_orders_; }
  static constexpr const char* kDetectFile = "detect.yaml";
  const std::shared_ptr<const DetectPart>& detect() const { return detect_; }  // null: none
  const SandboxRules* sandbox() const { return sandbox_ ? &*sandbox_ : nullptr; }
  const RiskModel& risk() const { return risk_; }
  // The bundle itself says how risk is judged; else risk() is the usual model and decides nothing.
  bool has_risk() const { return has_risk_; }
  // When everything is denied from; nothing: never.
  std::optional<WallTime> expires() const { return actions_ ? actions_->expires() : std::nullopt; }
  // SHA-256 (hex) of the canonical form.
  const std::string& version() const { return version_; }
  // Id of the key that signed, "" when no trusted key did.
  const std::string& signed_by() const { return signed_by_; }

 private:
  Bundle() = default;
  Result<> add(const FolderFile& file, std::vector<RegoModule>& modules, std::string& data);
  Result<> add_tools(const std::vector<FolderFile>& files);
  Result<> take_registry(const std::shared_ptr<const RegistryPart>& registry);
  void add_registered_agents(const AgentRegistry* host_agents);

  std::shared_ptr<const ActionPolicy> actions_;
  std::optional<CommandGovernor> commands_;
  std::optional<ToolGate> tools_;
  std::optional<AgentRegistry> agents_;
  std::optional<Rego> rego_;
  std::optional<SandboxRules> sandbox_;
  std::vector<model::Order> sensor_orders_;
  std::shared_ptr<const DetectPart> detect_;
  std::shared_ptr<const RegistryPart> registry_;
  bool has_agents_file_ = false;
  RiskModel risk_;
  bool has_risk_ = false;
  std::string version_;
  std::string signed_by_;
};

// What is signed: a line for each file but the signature, with hash, size and path, in the order of
// the paths.
std::string canonical_form(const std::vector<FolderFile>& files);
// SHA-256 (hex) of that: what Bundle::version() says of these files.
std::string bundle_digest(const std::vector<FolderFile>& files);

// The content of `bundle.sig`.
Result<std::string> sign_bundle(const std::vector<FolderFile>& files, const Secret& secret_pem);
// The id of the key that signed. kDenied: no signature, or none by a trusted key over just these
// files.
Result<std::string> verify_bundle(const std::vector<FolderFile>& files,
                                  const std::vector<std::string>& trusted_keys);

}  // namespace aispm::policy
