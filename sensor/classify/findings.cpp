// SPDX-License-Identifier: Apache-2.0
#include "sensor/classify/findings.hpp"

#include <string>

namespace aispm::sensor {
namespace {

std::string attribute(const model::Asset& asset, const std::string& name) {
  const auto found = asset.attributes.find(name);
  return found == asset.attributes.end() ? "" : found->second;
}

class Findings {
 public:
  Findings(const model::Asset& asset, const model::Asset* before)
      : asset_(asset), before_(before) {}

  // The value of the attribute when it is new.
  std::string news(const std::string& name) const {
    std::string value = attribute(asset_, name);
    return before_ != nullptr && attribute(*before_, name) == value ? "" : value;
  }
  void add(std::string rule, std::string category, model::Severity severity, std::string evidence,
           std::string message) {
    model::Detection detection;
    detection.rule_id = std::move(rule);
    detection.category = std::move(category);
    detection.severity = severity;
    detection.confidence = asset_.confidence;
    detection.surface = "inventory";
    detection.evidence = std::move(evidence);
    detection.message = std::move(message);
    found_.push_back(std::move(detection));
  }
  std::vector<model::Detection> take() { return std::move(found_); }

 private:
  const model::Asset& asset_;
  const model::Asset* before_;
  std::vector<model::Detection> found_;
};

}  // namespace

std::vector<model::Detection> find_asset_detections(const model::Asset& asset,
                                                    const model::Asset* before) {
  using model::Severity;
  Findings findings(asset, before);
  const bool is_sanctioned = !attribute(asset, "sanctioned").empty();
  if (!findings.news("docker_socket").empty())
    findings.add(
        "posture.container_socket_in_agent", "posture", Severity::kCritical,
        "container runtime socket",
        asset.name + " can reach the container runtime's socket: that is root on the host");
  if (const std::string names = findings.news("credentials"); !names.empty()) {
    const std::string hashes = attribute(asset, "credential_hashes");
    findings.add("secret.mcp_config", "secret", Severity::kHigh, hashes.empty() ? names : hashes,
                 "secrets stand in " + attribute(asset, "config"));
  }
  if (const std::string level = findings.news("risk_level");
      !is_sanctioned && (level == "high" || level == "critical"))
    findings.add("shadow_ai.risk", "shadow_ai",
                 level == "critical" ? Severity::kCritical : Severity::kHigh,
                 "score " + attribute(asset, "risk_score"),
                 "unsanctioned use of " + attribute(asset, "risk_provider") + ", risk " +
                     attribute(asset, "risk_score") + " of 100");
  if (findings.news("registered") == "no")
    findings.add("shadow_ai.gpu_user", "shadow_ai", Severity::kMedium, attribute(asset, "devices"),
                 asset.name + " holds a GPU and is registered nowhere");
  if (asset.kind == "model_file" && findings.news("load_risk") == "high")
    findings.add("supply_chain.unsafe_model_format", "supply_chain", Severity::kMedium,
                 attribute(asset, "format"), "loading " + asset.name + " can run code");
  if (const std::string flags = findings.news("risky_flags"); !flags.empty())
    findings.add("posture.safety_off", "posture", Severity::kHigh, flags,
                 asset.name + " runs with safeties off");
  return findings.take();
}

}  // namespace aispm::sensor
