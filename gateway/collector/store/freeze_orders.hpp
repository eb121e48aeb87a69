// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <string>
#include <utility>

#include "aispm/v1/ingest.pb.h"
#include "aispm/v1/policy.pb.h"
#include "gateway/collector/store/database.hpp"
#include "sdk/core/common/result.hpp"
#include "sdk/core/common/time.hpp"

namespace aispm::collector::store {

namespace pb = aispm::v1;

// What a sensor's word on its orders means for freezes. Short-lived: lives for one call.
class FreezeOrders {
 public:
  FreezeOrders(Database& database, std::string tenant)
      : database_(database), tenant_(std::move(tenant)) {}

  // How each freeze stands in the kernel of this host. It is in force without a problem only when
  // the sensor says so of its order and of every run on the host that it means; otherwise the
  // problem says how many of the runs the kernel holds, and why not the others. Freezes that the
  // host has no order and no run of are left out.
  Result<pb::AckFreezesRequest> states(const std::string& host_id, const pb::AckOrdersRequest& said,
                                       WallTime now);

 private:
  Database& database_;
  std::string tenant_;
};

}  // namespace aispm::collector::store
