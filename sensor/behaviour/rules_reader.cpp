// SPDX-License-Identifier: Apache-2.0
#include <utility>

#include "sdk/core/common/yaml.hpp"
#include "sensor/behaviour/builtin_rules.hpp"
#include "sensor/behaviour/rules.hpp"

namespace aispm::sensor {
namespace {

constexpr std::int64_t kMaxConnections = 1'000'000;
constexpr std::uint64_t kMaxMinBytes = 1ULL << 40;
constexpr std::chrono::milliseconds kMaxWindow{3'600'000};
const std::vector<std::string> kSeverities{"off", "info", "low", "medium", "high", "critical"};
const std::vector<std::string> kClasses{"sensitive",  "model",           "agent_config",
                                        "executable", "kernel_settings", "other"};

std::optional<model::Severity> read_severity(const YamlMap& map, const std::string& key) {
  return model::parse_severity(map.choice(key, "off", kSeverities));  // nullopt for "off"
}

std::vector<std::string> read_globs(const YamlMap& map, const std::string& key) {
  std::vector<std::string> globs;
  for (const std::string& glob : map.texts(key)) {
    if (glob.starts_with("~/")) {
      globs.push_back("/root" + glob.substr(1));
      globs.push_back("/home/*" + glob.substr(1));
    } else if (glob.starts_with('/') || glob.starts_with('*')) {
      globs.push_back(glob);
    } else {
      map.reject(key, "\"" + glob + "\": a glob begins with /, * or ~/");
    }
  }
  if (globs.size() > BehaviourRules::kMaxGlobs) map.reject(key, "too many globs");
  return globs;
}

FileRule read_file_rule(const YamlMap& map) {
  FileRule rule;
  rule.id = map.required_text("id");
  rule.file_class = map.choice("class", "other", kClasses);
  rule.on_write = map.choice("on", "read", {"read", "write"}) == "write";
  rule.min_bytes = map.size_bytes("min_size", 0, kMaxMinBytes);
  rule.severity = read_severity(map, "severity").value_or(model::Severity::kInfo);
  rule.message = map.required_text("message");
  rule.paths = read_globs(map, "paths");
  rule.except = read_globs(map, "except");
  if (rule.paths.empty()) map.reject("paths", "at least one glob is needed");
  return rule;
}

Result<BehaviourRules> read_rules(const YamlMap& root) {
  BehaviourRules rules;
  if (root.required_text("schema") != BehaviourRules::kSchema)
    root.reject("schema", "must be " + std::string(BehaviourRules::kSchema));
  rules.shells = root.texts("shells");
  rules.shell_spawn = read_severity(root, "shell_spawn");
  const YamlMap rate = root.map("connection_rate");
  rules.connection_limit =
      static_cast<std::uint32_t>(rate.integer("limit", 50, {1, kMaxConnections}));
  const auto window = rate.duration("window", std::chrono::seconds(10));
  if (window < std::chrono::seconds(1) || window > kMaxWindow)
    rate.reject("window", "1s to 1h are allowed");
  rules.connection_window = std::chrono::duration_cast<std::chrono::seconds>(window);
  rules.connection_rate = read_severity(rate, "severity");
  rules.raw_socket = read_severity(root, "raw_socket");
  for (const YamlMap& file : root.maps("files")) {
    if (rules.files.size() >= BehaviourRules::kMaxRules) {
      root.reject("files", "too many rules");
      break;
    }
    rules.files.push_back(read_file_rule(file));
  }
  for (const YamlMap& one : root.maps("cases"))
    rules.cases.push_back(
        {one.required_text("path"), one.choice("on", "read", {"read", "write"}) == "write",
         one.size_bytes("size", 0, kMaxMinBytes), one.required_text("expect"), one.where()});
  AISPM_CHECK(root.finish());
  return rules;
}

}  // namespace

Result<BehaviourRules> BehaviourRules::builtin() {
  return parse(builtin_behaviour_rules(), "builtin/behaviour.yaml");
}

Result<BehaviourRules> BehaviourRules::load(const std::string& path) {
  AISPM_TRY(const YamlMap root, YamlMap::load(path));
  return read_rules(root);
}

Result<BehaviourRules> BehaviourRules::parse(const std::string& content, const std::string& name) {
  AISPM_TRY(const YamlMap root, YamlMap::parse(content, name));
  return read_rules(root);
}

}  // namespace aispm::sensor
