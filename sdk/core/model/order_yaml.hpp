// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <string>
#include <vector>

#include "sdk/core/common/yaml.hpp"
#include "sdk/core/model/order.hpp"

// Orders as people write them, in sensord.yaml and in `sensor.yaml` of a policy bundle:
//
//   rules:
//     - {id: no-shells, mode: enforce, agent: '*', programs: [bash, sh]}
namespace aispm::model {

// The list `rules` of a map, at most `limit` of them, each with an id of its own. Of addresses and
// host names only that they are there is checked: whoever enforces them knows what it can. Errors
// are kept in `map`, for its root's finish().
std::vector<Order> read_orders(const YamlMap& map, std::size_t limit);

// `sensor.yaml` of a bundle. Errors read `name:line: what is wrong, what is allowed`.
inline constexpr std::size_t kMaxBundleOrders = 32;
Result<std::vector<Order>> parse_bundle_orders(const std::string& content, const std::string& name);

inline constexpr std::size_t kMaxOrderListItems = 1024;
// A list of an order or of what stands beside orders, at most kMaxOrderListItems long.
std::vector<std::string> read_order_list(const YamlMap& map, const std::string& key);

}  // namespace aispm::model
