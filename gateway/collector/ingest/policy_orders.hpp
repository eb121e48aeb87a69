// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <map>
#include <string>
#include <vector>

#include "aispm/v1/enforce.pb.h"
#include "aispm/v1/policy.pb.h"
#include "sdk/core/common/result.hpp"
#include "sdk/core/model/order.hpp"

// What policies say to sensors (`sensor.yaml`), as orders.
namespace aispm::collector {

namespace pb = aispm::v1;

struct PolicyOrders {
  struct Policy {
    std::string id;
    std::uint64_t version = 0;
    std::string problem;  // why not all of it can be given to sensors; empty: it can
  };
  std::vector<pb::Order> orders;
  std::vector<Policy> policies;                // that have a sensor.yaml
  std::map<std::string, std::size_t> sources;  // order id -> index in `policies`
};

// Those of every policy that the snapshot assigns and that is for this tenant. A policy that is
// monitored is only reported; one for certain agents is about these alone. At most `room` orders:
// a policy for which there is none left is left out as a whole, with its problem. Pure.
PolicyOrders orders_of(const pb::PolicySnapshot& snapshot, const std::string& tenant,
                       std::size_t room);

// What a sensor said about orders, as its word on the policies they come from.
pb::AckPoliciesRequest policy_states(const PolicyOrders& given,
                                     const pb::AckOrdersRequest& request);

// The orders of a `sensor.yaml` as operators' orders must be. kInvalid: with the rule's id.
Result<> check_sensor_orders(const std::vector<model::Order>& orders);

}  // namespace aispm::collector
