// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <string>
#include <string_view>

#include "aispm/v1/api.pb.h"
#include "gateway/collector/store/database.hpp"
#include "sdk/core/common/result.hpp"
#include "sdk/core/common/time.hpp"

namespace aispm::collector::store {

namespace pb = aispm::v1;

// "sanctioned", "unsanctioned", "ignored" as stored: 0 is unsanctioned. kInvalid names the allowed
// ones.
Result<int> parse_asset_state(std::string_view state);
std::string_view asset_state_name(std::int64_t state);
// The row number in an id such as "a17" or "m5". kNotFound for what is no id of that kind.
Result<std::int64_t> parse_row_id(char kind, std::string_view id);

// What people decide: state and owner of assets, and which baseline is the reference. Owned by one
// thread; other connections may write at the same time.
class AssetBook {
 public:
  explicit AssetBook(Database& database) : database_(database) {}

  // Changes the asset and keeps who did it, when, and what was before. A change that changes
  // nothing is kept too: somebody looked and confirmed.
  Result<> set_state(const pb::SetAssetStateRequest& request, std::string_view who, WallTime now);
  // Replaces the reference of the baseline's agent.
  Result<pb::StoredBaseline> import_baseline(const pb::Baseline& baseline, std::string_view who,
                                             WallTime now);

 private:
  Database& database_;
};

}  // namespace aispm::collector::store
