// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <cstdint>
#include <string>
#include <vector>

#include "aispm/v1/event.pb.h"
#include "gateway/collector/store/database.hpp"
#include "sdk/core/common/result.hpp"
#include "sdk/core/common/time.hpp"

namespace aispm::collector::store {

namespace pb = aispm::v1;

// What operators did, kept until it stands among the events. Called within the transaction of the
// change itself, so that no change goes without its record.
Result<> note_operator_action(Database& database, const pb::OperatorAction& action, WallTime now);

struct NotedAction {
  std::int64_t ref = 0;
  std::string event;  // serialized pb::Event
};
// The oldest that wait.
Result<std::vector<NotedAction>> waiting_actions(Database& database, std::uint32_t limit);
// They stand among the events: forget all up to this one.
Result<> forget_actions(Database& database, std::int64_t last_ref);

}  // namespace aispm::collector::store
