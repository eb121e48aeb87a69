// SPDX-License-Identifier: Apache-2.0
#pragma once

#include "gateway/collector/store/database.hpp"
#include "sdk/core/common/result.hpp"
#include "sdk/core/common/time.hpp"

namespace aispm::collector {

// Puts the policies that are shipped into a store that has none, as drafts: nothing of them is in
// force before somebody says so.
Result<> seed_policies(store::Database& database, WallTime now);

}  // namespace aispm::collector
