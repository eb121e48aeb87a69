// SPDX-License-Identifier: Apache-2.0
#include "gateway/collector/store/operator_log.hpp"

#include "gateway/collector/store/registry.hpp"
#include "sdk/core/common/id.hpp"

namespace aispm::collector::store {

Result<> note_operator_action(Database& database, const pb::OperatorAction& action, WallTime now) {
  pb::Event event;
  event.set_id(make_uuid());
  set_time(now.nanoseconds, event.mutable_time());
  event.set_source(pb::SOURCE_COLLECTOR);
  *event.mutable_operator_action() = action;
  return run_sql(database, "INSERT INTO operator_actions (event) VALUES (?)",
                 Blob{event.SerializeAsString()});
}

Result<std::vector<NotedAction>> waiting_actions(Database& database, std::uint32_t limit) {
  AISPM_TRY(Statement* const find,
            database.cached("SELECT ref, event FROM operator_actions ORDER BY ref LIMIT ?"));
  find->bind(limit);
  std::vector<NotedAction> actions;
  for (;;) {
    AISPM_TRY(const bool is_row, find->step());
    if (!is_row) return actions;
    actions.push_back({find->integer(0), std::string(find->blob(1))});
  }
}

Result<> forget_actions(Database& database, std::int64_t last_ref) {
  return run_sql(database, "DELETE FROM operator_actions WHERE ref<=?", last_ref);
}

}  // namespace aispm::collector::store
