// SPDX-License-Identifier: Apache-2.0
#include "sensor/enforce_config.hpp"

#include "sdk/core/model/order_yaml.hpp"
#include "sensor/decide/address.hpp"

namespace aispm::sensor {
namespace {

constexpr std::size_t kMaxLocalRules = AISPM_RULES / 2;

// What the kernel's tables must be able to hold, with the line that says otherwise.
void check_destinations(const YamlMap& map, const model::Order& order) {
  for (const std::string& address : order.match.addresses)
    if (const auto parsed = parse_prefix(address); !parsed)
      map.reject("rules", order.id + ": " + parsed.error().message);
  const std::string& domain = order.match.domain;
  if (!domain.empty() && normal_domain(domain).empty())
    map.reject("rules", order.id + ": domain \"" + domain + "\" is no host name");
}

Protected read_protected(const YamlMap& map) {
  Protected protects;
  protects.executables = map.has("executables") ? model::read_order_list(map, "executables")
                                                : default_protected_executables();
  for (const std::string& text : model::read_order_list(map, "endpoints")) {
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
  config.rules = model::read_orders(map, kMaxLocalRules);
  for (model::Order& order : config.rules) {
    check_destinations(map, order);
    order.id = "local." + order.id;
    order.created_by = "sensord.yaml";
  }
  return config;
}

}  // namespace aispm::sensor
