// SPDX-License-Identifier: Apache-2.0
#include "aispm/v1/policy.pb.h"
#include "gateway/collector/api/operator_policies.hpp"
#include "gateway/collector/store/freeze_ledger.hpp"
#include "sdk/core/common/log.hpp"

namespace aispm::collector::api {

namespace pb = aispm::v1;
using store::FreezeLedger;

namespace {

// What stops everybody is an administrator's to say and to take back, in whatever words.
Result<> check_role(const Desk& desk, const pb::Freeze& freeze) {
  const bool is_wide =
      freeze.scope() == pb::FREEZE_SCOPE_ALL || freeze.scope() == pb::FREEZE_SCOPE_TENANT ||
      (!freeze.value().empty() && freeze.value().find_first_not_of("*?") == std::string::npos);
  if (is_wide && desk.caller.role < Role::kAdmin)
    return fail(Errc::kDenied, "to freeze everybody needs the role admin");
  return {};
}

Result<> check_role_of(Desk& desk, const std::string& tenant, const std::string& freeze_id,
                       WallTime now) {
  AISPM_TRY(const auto snapshot, FreezeLedger(desk.database, tenant).snapshot(now));
  for (const pb::Freeze& freeze : snapshot.freezes())
    if (freeze.id() == freeze_id) return check_role(desk, freeze);
  return {};  // lift() says that there is none
}

pb::Freeze changed(Control& control, OrderChanges& order_changes, pb::Freeze freeze,
                   const char* event, const std::string& who) {
  control.freeze_changes.announce();
  order_changes.announce();
  control.audit();
  log::info(event, {{"freeze", freeze.id()},
                    {"scope", pb::FreezeScope_Name(freeze.scope())},
                    {"value", freeze.value()},
                    {"kill", freeze.kill()},
                    {"by", who}});
  return freeze;
}

// Hosts hear of it before it is on disk, the operator after: a disk that is busy must not keep an
// agent going.
Result<pb::Freeze> create(Desk& desk, Control& control, OrderChanges& order_changes,
                          const pb::CreateFreezeRequest& request, WallTime now) {
  FreezeLedger ledger(desk.database, control.tenant);
  AISPM_TRY(pb::Freeze freeze, ledger.prepare(request, desk.caller.name, now));
  auto held = control.pending_freezes.hold(freeze);
  const auto announce = [&] {
    control.freeze_changes.announce();
    order_changes.announce();
  };
  announce();
  const Result<> stored = ledger.store(freeze, now);
  held.reset();
  if (!stored) {
    announce();  // it is not in force
    return fail(stored.error());
  }
  return changed(control, order_changes, std::move(freeze), "freeze.created", desk.caller.name);
}

}  // namespace

void add_freezes(Handlers& handlers, const WallClock& clock, OrderChanges& order_changes,
                 Control& control) {
  add_handler<pb::CreateFreezeRequest, pb::Freeze>(
      handlers, "CreateFreeze",
      [clock, &order_changes, &control](
          Desk& desk, const pb::CreateFreezeRequest& request) -> Result<pb::Freeze> {
        AISPM_CHECK(check_role(desk, request.freeze()));
        return create(desk, control, order_changes, request, clock());
      });
  add_handler<pb::ListFreezesRequest, pb::FreezeList>(
      handlers, "ListFreezes",
      [clock, &control](Desk& desk, const pb::ListFreezesRequest& request) {
        return FreezeLedger(desk.database, control.tenant).list(request, clock());
      });
  add_handler<pb::LiftFreezeRequest, pb::Freeze>(
      handlers, "LiftFreeze",
      [clock, &order_changes, &control](
          Desk& desk, const pb::LiftFreezeRequest& request) -> Result<pb::Freeze> {
        AISPM_CHECK(check_role_of(desk, control.tenant, request.freeze_id(), clock()));
        AISPM_TRY(
            pb::Freeze freeze,
            FreezeLedger(desk.database, control.tenant).lift(request, desk.caller.name, clock()));
        return changed(control, order_changes, std::move(freeze), "freeze.lifted",
                       desk.caller.name);
      });
}

}  // namespace aispm::collector::api
