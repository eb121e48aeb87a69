// SPDX-License-Identifier: Apache-2.0
#include "gateway/collector/store/frozen_runs.hpp"

#include <algorithm>
#include <optional>

#include "aispm/v1/event.pb.h"
#include "gateway/collector/store/registry.hpp"
#include "sdk/core/policy/freeze_book.hpp"

namespace aispm::collector::store {
namespace {

// Nothing for scopes that are about no run: models, and what this version does not know.
std::optional<policy::FreezeScope> scope_of(pb::FreezeScope scope) {
  switch (scope) {
    case pb::FREEZE_SCOPE_AGENT:
      return policy::FreezeScope::kAgent;
    case pb::FREEZE_SCOPE_SESSION:
      return policy::FreezeScope::kSession;
    case pb::FREEZE_SCOPE_USER:
      return policy::FreezeScope::kUser;
    case pb::FREEZE_SCOPE_TENANT:
      return policy::FreezeScope::kTenant;
    case pb::FREEZE_SCOPE_ALL:
      return policy::FreezeScope::kAll;
    default:
      return std::nullopt;
  }
}

}  // namespace

Result<FrozenRuns> FrozenRuns::of_host(Database& database, const std::string& host_id) {
  AISPM_TRY(Statement* const find,
            database.cached(
                "SELECT s.session_id, IFNULL(a.agent_id, ''), s.launch "
                "FROM sessions s JOIN hosts h ON h.ref=s.host LEFT JOIN agents a ON a.ref=s.agent "
                "WHERE h.host_id=? AND s.started IS NOT NULL AND s.ended IS NULL "
                "ORDER BY s.started DESC LIMIT ?"));
  find->bind(host_id, kMaxRuns);
  FrozenRuns found;
  for (;;) {
    AISPM_TRY(const bool is_row, find->step());
    if (!is_row) return found;
    Run run;
    run.who.push_back({find->text(1), find->text(0)});
    pb::SandboxStart start;
    const std::string_view launch = find->blob(2);
    if (!start.ParseFromArray(launch.data(), static_cast<int>(launch.size())))
      return fail(Errc::kInternal, "store: a run's start cannot be read");
    for (const std::string& mechanism : start.mechanisms()) {
      if (auto parent = model::parse_runs_for(mechanism)) run.who.push_back(std::move(*parent));
      if (const auto init = model::parse_run_init(mechanism)) run.init = *init;
    }
    found.runs_.push_back(std::move(run));
  }
}

FrozenRuns::Meant FrozenRuns::meant_by(const pb::Freeze& freeze, const std::string& tenant) const {
  const auto scope = scope_of(freeze.scope());
  if (!scope) return {};
  policy::Freeze one;
  one.scope = *scope;
  one.value = policy::Glob(freeze.value());
  const policy::FreezeBook book({std::move(one)}, tenant);
  const auto is_meant = [&](const model::RunParent& who) {
    return book.find({.agent = who.agent_id,
                      .session = who.session_id,
                      .user = policy::user_of_agent(who.agent_id)},
                     WallTime{}) != nullptr;
  };
  Meant meant;
  for (const Run& run : runs_) {
    if (!std::ranges::any_of(run.who, is_meant)) continue;
    if (run.init.pid == 0)
      ++meant.nameless;
    else
      meant.inits.push_back(run.init);
  }
  return meant;
}

Result<bool> has_freezes(Database& database, WallTime now) {
  AISPM_TRY(Statement* const find,
            database.cached("SELECT 1 FROM freezes WHERE lifted IS NULL AND (expires IS NULL OR "
                            "expires > ?) LIMIT 1"));
  AISPM_TRY(const bool is_row, find->bind(now.nanoseconds).step());
  find->reset();
  return is_row;
}

Result<> raise_order_version(Database& database) {
  return raise_counter(database, "order_version");
}

}  // namespace aispm::collector::store
