// SPDX-License-Identifier: Apache-2.0
#include "sdk/core/policy/bundle.hpp"

#include <algorithm>

#include "sdk/core/common/crypto.hpp"
#include "sdk/core/common/yaml.hpp"
#include "sdk/core/model/order_yaml.hpp"

namespace aispm::policy {
namespace {

constexpr std::string_view kRego = "rego/";
constexpr std::string_view kToolsFile = "tools.yaml";
constexpr std::string_view kPinsFile = "pins.yaml";
constexpr std::string_view kRegoTests = "rego/tests/";

bool begins_with(std::string_view text, std::string_view start) {
  return text.substr(0, start.size()) == start;
}
bool ends_with(std::string_view text, std::string_view end) {
  return text.size() >= end.size() && text.substr(text.size() - end.size()) == end;
}

Result<CommandGovernor> parse_commands(const FolderFile& file) {
  AISPM_TRY(const YamlMap root, YamlMap::parse(file.content, file.path));
  model::Outcome fallback = model::Outcome::kDeny;
  const YamlMap defaults = root.map("defaults");
  if (defaults.has("outcome"))
    fallback = read_action_outcome(defaults, "outcome").value_or(fallback);
  std::vector<CommandRule> rules;
  for (const YamlMap& map : root.maps("rules")) {
    CommandRule rule;
    rule.id = map.required_text("id");
    rule.pattern = map.required_text("command");
    rule.outcome = read_action_outcome(map, "outcome").value_or(model::Outcome::kDeny);
    rule.reason = map.text("reason", "");
    rule.place = map.where();
    rules.push_back(std::move(rule));
  }
  AISPM_CHECK(root.finish());
  auto governor = CommandGovernor::compile(rules, fallback);
  if (!governor) return fail(governor.error().code, file.path + ": " + governor.error().message);
  return governor;
}

}  // namespace

std::string canonical_form(const std::vector<FolderFile>& files) {
  std::string form = "aispm-bundle 1\n";
  for (const FolderFile& file : files) {
    if (file.path == Bundle::kSignatureFile) continue;
    form += sha256_hex(file.content) + " " + std::to_string(file.content.size()) + " " + file.path +
            "\n";
  }
  return form;
}

std::string bundle_digest(const std::vector<FolderFile>& files) {
  return sha256_hex(canonical_form(files));
}

Result<> Bundle::add(const FolderFile& file, std::vector<RegoModule>& modules, std::string& data) {
  if (file.path == kSignatureFile || begins_with(file.path, kRegoTests)) return {};
  if (file.path == "actions.yaml") {
    AISPM_TRY(actions_, ActionPolicy::parse(file.content, file.path));
    return {};
  }
  if (file.path == "commands.yaml") {
    AISPM_TRY(CommandGovernor governor, parse_commands(file));
    commands_ = std::move(governor);
    return {};
  }
  if (file.path == kSensorFile) {
    AISPM_TRY(sensor_orders_, model::parse_bundle_orders(file.content, file.path));
    return {};
  }
  if (file.path == "sandbox.yaml") {
    AISPM_TRY(sandbox_, SandboxRules::parse(file.content, file.path));
    return {};
  }
  if (file.path == kDetectFile) {
    detect_ = std::make_shared<const DetectPart>(
        DetectPart{file.path, file.content, sha256_hex(file.content)});
    return {};
  }
  if (file.path == "risk.yaml") {
    AISPM_TRY(risk_, RiskModel::parse(file.content, file.path));
    has_risk_ = true;
    return {};
  }
  if (file.path == "agents.yaml") {
    AISPM_TRY(agents_, AgentRegistry::parse(file.content, file.path));
    has_agents_file_ = true;
    return {};
  }
  if (file.path == kRegistryFile) {
    AISPM_TRY(registry_, RegistryPart::parse(file.content, file.path));
    return {};
  }
  // Read together by add_tools().
  if (file.path == kToolsFile || file.path == kPinsFile) return {};
  if (file.path == "data.json") {
    data = file.content;
    return {};
  }
  if (begins_with(file.path, kRego) && ends_with(file.path, ".rego")) {
    modules.push_back({file.path, file.content});
    return {};
  }
  return fail(Errc::kInvalid,
              file.path +
                  ": no part of a bundle; there are actions.yaml, commands.yaml, "
                  "risk.yaml, detect.yaml, sandbox.yaml, sensor.yaml, tools.yaml, pins.yaml, "
                  "agents.yaml, registry.yaml, data.json, rego/*.rego, "
                  "rego/tests and bundle.sig");
}

Result<> Bundle::add_tools(const std::vector<FolderFile>& files) {
  const FolderFile* tools = nullptr;
  const FolderFile* pins = nullptr;
  for (const FolderFile& file : files) {
    if (file.path == kToolsFile) tools = &file;
    if (file.path == kPinsFile) pins = &file;
  }
  if (tools == nullptr && pins == nullptr) {
    if (registry_ && !registry_->tools().empty()) tools_ = ToolGate::of_registry(*registry_);
    return {};
  }
  if (tools == nullptr) return fail(Errc::kInvalid, "pins.yaml: counts only beside a tools.yaml");
  AISPM_TRY(ToolGate gate,
            ToolGate::parse(tools->content, pins == nullptr ? "" : pins->content, registry_.get()));
  tools_ = std::move(gate);
  return {};
}

Result<> Bundle::take_registry(const std::shared_ptr<const RegistryPart>& registry) {
  if (!registry) return {};
  if (registry_)
    return fail(Errc::kInvalid, std::string(kRegistryFile) +
                                    ": the collector's registry is in force here, and there can "
                                    "be but one");
  registry_ = registry;
  return {};
}

void Bundle::add_registered_agents(const AgentRegistry* host_agents) {
  if (!registry_ || registry_->agents().empty()) return;
  if (!agents_) agents_ = host_agents == nullptr ? AgentRegistry() : *host_agents;
  agents_ = agents_->with_registered(registry_->agents());
}

Result<std::shared_ptr<const Bundle>> Bundle::compile(const std::vector<FolderFile>& files,
                                                      const BundleOptions& options) {
  std::shared_ptr<Bundle> bundle(new Bundle);
  if (!options.trusted_keys.empty() || options.must_be_signed) {
    const bool has_signature = std::any_of(files.begin(), files.end(), [](const FolderFile& file) {
      return file.path == kSignatureFile;
    });
    // A signature that does not hold is worse than none.
    if (has_signature || options.must_be_signed) {
      AISPM_TRY(bundle->signed_by_, verify_bundle(files, options.trusted_keys));
    }
  }
  bundle->version_ = bundle_digest(files);
  std::vector<RegoModule> modules;
  std::string data = "{}";
  for (const FolderFile& file : files) AISPM_CHECK(bundle->add(file, modules, data));
  AISPM_CHECK(bundle->take_registry(options.registry));
  AISPM_CHECK(bundle->add_tools(files));
  bundle->add_registered_agents(options.host_agents);
  if (!modules.empty()) {
    AISPM_TRY(Rego rego, Rego::compile(modules, data));
    bundle->rego_ = std::move(rego);
  }
  if (bundle->detect_ && options.take_detect) AISPM_CHECK(options.take_detect(bundle->detect_));
  return std::shared_ptr<const Bundle>(std::move(bundle));
}

Result<std::shared_ptr<const Bundle>> Bundle::load(const std::string& folder,
                                                   const BundleOptions& options) {
  AISPM_TRY(const std::vector<FolderFile> files, read_safe_folder(folder));
  auto bundle = compile(files, options);
  if (!bundle) return fail(bundle.error().code, folder + "/" + bundle.error().message);
  return bundle;
}

}  // namespace aispm::policy
