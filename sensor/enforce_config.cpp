// SPDX-License-Identifier: Apache-2.0
#include "sensor/enforce_config.hpp"

#include <set>

#include "sensor/decide/address.hpp"

namespace aispm::sensor {
namespace {

constexpr std::size_t kMaxLocalRules = AISPM_RULES / 2;
constexpr std::size_t kMaxListItems = 1024;
constexpr std::size_t kMaxIdBytes = 48;

model::OrderAction read_action(const YamlMap& rule) {
  const std::string word = rule.choice("action", "block", {"block", "allow", "quarantine", "kill"});
  if (word == "allow") return model::OrderAction::kAllow;
  if (word == "quarantine") return model::OrderAction::kQuarantine;
  return word == "kill" ? model::OrderAction::kKill : model::OrderAction::kBlock;
}

std::vector<std::string> read_list(const YamlMap& rule, const std::string& key) {
  std::vector<std::string> list = rule.texts(key);
  if (list.size() > kMaxListItems)
    rule.reject(key, "at most " + std::to_string(kMaxListItems) + " entries are allowed");
  return list;
}

std::vector<std::uint16_t> read_ports(const YamlMap& rule) {
  std::vector<std::uint16_t> ports;
  for (const std::string& text : read_list(rule, "ports")) {
    const bool is_number = !text.empty() && text.size() <= 5 &&
                           text.find_first_not_of("0123456789") == std::string::npos;
    const int port = is_number ? std::stoi(text) : 0;
    if (port < 1 || port > 65535) {
      rule.reject("ports", "\"" + text + "\": 1..65535 is allowed");
      return ports;
    }
    ports.push_back(static_cast<std::uint16_t>(port));
  }
  return ports;
}

model::OrderMatch read_match(const YamlMap& rule) {
  model::OrderMatch match;
  match.exe = rule.text("exe", "");
  match.agent_id = rule.text("agent", "");
  match.user = rule.text("user", "");
  match.cgroup = rule.text("cgroup", "");
  match.container_id = rule.text("container", "");
  match.addresses = read_list(rule, "addresses");
  match.ports = read_ports(rule);
  match.domain = rule.text("domain", "");
  match.provider = rule.text("provider", "");
  match.model = rule.text("model", "");
  for (const std::string& address : match.addresses)
    if (const auto parsed = parse_prefix(address); !parsed)
      rule.reject("addresses", parsed.error().message);
  if (!match.domain.empty() && normal_domain(match.domain).empty())
    rule.reject("domain", "\"" + match.domain + "\" is no host name");
  return match;
}

model::Order read_rule(const YamlMap& rule) {
  model::Order order;
  order.id = "local." + rule.required_text("id");
  if (order.id.size() > kMaxIdBytes) rule.reject("id", "at most 42 characters are allowed");
  order.action = read_action(rule);
  order.enforces = rule.choice("mode", "monitor", {"monitor", "enforce"}) == "enforce";
  order.match = read_match(rule);
  order.raw_sockets = rule.flag("raw_sockets", false);
  order.kernel_writes = rule.flag("kernel_writes", false);
  order.tamper = rule.flag("tamper", false);
  order.programs = read_list(rule, "programs");
  order.write_folders = read_list(rule, "write_folders");
  order.approved = read_list(rule, "approved");
  order.egress = read_list(rule, "egress");
  order.detection = rule.text("detection", "");
  order.kills = rule.flag("kill", false);
  order.refuses = rule.flag("refuse", false);
  order.reason = rule.text("reason", "");
  order.created_by = "sensord.yaml";
  return order;
}

Protected read_protected(const YamlMap& map) {
  Protected protects;
  protects.executables =
      map.has("executables") ? read_list(map, "executables") : default_protected_executables();
  for (const std::string& text : read_list(map, "endpoints")) {
    const auto endpoint = parse_endpoint(text);
    if (!endpoint)
      map.reject("endpoints", endpoint.error().message);
    else if (endpoint->port == 0)
      map.reject("endpoints", "\"" + text + "\": a port is needed");
    else
      protects.endpoints.insert(*endpoint);
  }
  return protects;
}

}  // namespace

std::vector<std::string> default_protected_executables() {
  return {"/usr/sbin/sshd",
          "/usr/lib/openssh/sshd-session",
          "/usr/lib/openssh/sshd-auth",
          "/usr/lib/systemd/systemd",
          "/usr/lib/systemd/systemd-logind",
          "/usr/lib/systemd/systemd-networkd",
          "/usr/lib/systemd/systemd-resolved",
          "/usr/bin/dbus-daemon",
          "/usr/bin/aispm-sensord",
          "/usr/bin/aispm-collector",
          "/usr/bin/aispm-gateway"};
}

EnforceConfig read_enforce(const YamlMap& root) {
  const YamlMap map = root.map("enforce");
  EnforceConfig config;
  const std::string mode = map.choice("mode", "enforce", {"off", "monitor", "enforce"});
  config.is_off = mode == "off";
  config.may_enforce = mode == "enforce";
  config.keeps_on_stop = map.choice("on_stop", "keep", {"keep", "remove"}) == "keep";
  config.uses_lsm = map.flag("lsm", config.uses_lsm);
  config.pins = map.text("pins", config.pins);
  config.detect_rules = map.text("detect_rules", config.detect_rules);
  if (!config.pins.empty() && config.pins.front() != '/')
    map.reject("pins", "an absolute path is needed, or \"\" for none");
  config.protects = read_protected(map.map("protected"));
  std::set<std::string> ids;
  for (const YamlMap& rule : map.maps("rules")) {
    config.rules.push_back(read_rule(rule));
    if (!ids.insert(config.rules.back().id).second)
      rule.reject("id", "another rule has this id already");
  }
  if (config.rules.size() > kMaxLocalRules)
    map.reject("rules", "at most " + std::to_string(kMaxLocalRules) + " rules are allowed");
  return config;
}

}  // namespace aispm::sensor
