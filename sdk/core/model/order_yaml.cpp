// SPDX-License-Identifier: Apache-2.0
#include "sdk/core/model/order_yaml.hpp"

#include <set>

namespace aispm::model {
namespace {

constexpr std::size_t kMaxIdBytes = 42;

OrderAction read_action(const YamlMap& rule) {
  const std::string word = rule.choice("action", "block", {"block", "allow", "quarantine", "kill"});
  if (word == "allow") return OrderAction::kAllow;
  if (word == "quarantine") return OrderAction::kQuarantine;
  return word == "kill" ? OrderAction::kKill : OrderAction::kBlock;
}

std::vector<std::uint16_t> read_ports(const YamlMap& rule) {
  std::vector<std::uint16_t> ports;
  for (const std::string& text : read_order_list(rule, "ports")) {
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

OrderMatch read_match(const YamlMap& rule) {
  OrderMatch match;
  match.exe = rule.text("exe", "");
  match.agent_id = rule.text("agent", "");
  match.user = rule.text("user", "");
  match.cgroup = rule.text("cgroup", "");
  match.container_id = rule.text("container", "");
  match.addresses = read_order_list(rule, "addresses");
  match.ports = read_ports(rule);
  match.domain = rule.text("domain", "");
  match.provider = rule.text("provider", "");
  match.model = rule.text("model", "");
  return match;
}

Order read_rule(const YamlMap& rule) {
  Order order;
  order.id = rule.required_text("id");
  if (order.id.size() > kMaxIdBytes) rule.reject("id", "at most 42 characters are allowed");
  order.action = read_action(rule);
  order.enforces = rule.choice("mode", "monitor", {"monitor", "enforce"}) == "enforce";
  order.match = read_match(rule);
  order.raw_sockets = rule.flag("raw_sockets", false);
  order.kernel_writes = rule.flag("kernel_writes", false);
  order.tamper = rule.flag("tamper", false);
  order.programs = read_order_list(rule, "programs");
  order.write_folders = read_order_list(rule, "write_folders");
  order.approved = read_order_list(rule, "approved");
  order.egress = read_order_list(rule, "egress");
  order.detection = rule.text("detection", "");
  order.kills = rule.flag("kill", false);
  order.refuses = rule.flag("refuse", false);
  order.reason = rule.text("reason", "");
  return order;
}

}  // namespace

std::vector<std::string> read_order_list(const YamlMap& map, const std::string& key) {
  std::vector<std::string> list = map.texts(key);
  if (list.size() > kMaxOrderListItems)
    map.reject(key, "at most " + std::to_string(kMaxOrderListItems) + " entries are allowed");
  return list;
}

std::vector<Order> read_orders(const YamlMap& map, std::size_t limit) {
  std::vector<Order> orders;
  std::set<std::string> ids;
  for (const YamlMap& rule : map.maps("rules")) {
    orders.push_back(read_rule(rule));
    if (!ids.insert(orders.back().id).second) rule.reject("id", "another rule has this id already");
  }
  if (orders.size() > limit)
    map.reject("rules", "at most " + std::to_string(limit) + " rules are allowed");
  return orders;
}

Result<std::vector<Order>> parse_bundle_orders(const std::string& content,
                                               const std::string& name) {
  AISPM_TRY(const YamlMap root, YamlMap::parse(content, name));
  std::vector<Order> orders = read_orders(root, kMaxBundleOrders);
  AISPM_CHECK(root.finish());
  return orders;
}

}  // namespace aispm::model
