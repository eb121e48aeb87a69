// SPDX-License-Identifier: Apache-2.0
#include "gateway/collector/store/freeze_ledger.hpp"

#include <algorithm>

#include "gateway/collector/limits.hpp"
#include "gateway/collector/store/checks.hpp"
#include "gateway/collector/store/daemons.hpp"
#include "gateway/collector/store/frozen_runs.hpp"
#include "gateway/collector/store/operator_log.hpp"
#include "gateway/collector/store/paging.hpp"
#include "gateway/collector/store/policy_shelf.hpp"
#include "gateway/collector/store/registry.hpp"
#include "sdk/core/common/id.hpp"
#include "sdk/core/common/log.hpp"
#include "sdk/core/common/utf8.hpp"
#include "sdk/core/model/freeze_orders.hpp"

namespace aispm::collector::store {
namespace {

constexpr std::string_view kColumns =
    "SELECT ref, freeze_id, body, lifted, lifted_by FROM freezes ";
constexpr std::string_view kIsLive = "lifted IS NULL AND (expires IS NULL OR expires > ?1) ";

const char* scope_name(pb::FreezeScope scope) {
  switch (scope) {
    case pb::FREEZE_SCOPE_AGENT:
      return "agent";
    case pb::FREEZE_SCOPE_SESSION:
      return "session";
    case pb::FREEZE_SCOPE_USER:
      return "user";
    case pb::FREEZE_SCOPE_MODEL:
      return "model";
    case pb::FREEZE_SCOPE_TENANT:
      return "tenant";
    default:
      return "all";
  }
}

std::string target_of(const pb::Freeze& freeze) {
  return freeze.value().empty() ? std::string(scope_name(freeze.scope()))
                                : scope_name(freeze.scope()) + (" " + freeze.value());
}

Result<> note(Database& database, const pb::Freeze& freeze, const char* action,
              const std::string& who, const std::string& reason, WallTime now) {
  pb::OperatorAction done;
  done.set_who(who);
  done.set_action(action);
  done.set_target(target_of(freeze));
  done.set_reason(reason);
  const bool is_lift = !freeze.lifted_by().empty();
  const char* const state = freeze.kill() ? "killed" : "frozen";
  (is_lift ? done.mutable_before() : done.mutable_after())->assign(state);
  (is_lift ? done.mutable_after() : done.mutable_before())->assign("free");
  return note_operator_action(database, done, now);
}

// False: no order to a kernel says the same; runs may.
bool match_of(const pb::Freeze& freeze, const std::string& own_tenant, pb::OrderMatch* match) {
  switch (freeze.scope()) {
    case pb::FREEZE_SCOPE_AGENT:
      match->set_agent_id(freeze.value());
      return true;
    case pb::FREEZE_SCOPE_USER:
      match->set_user(freeze.value());
      match->set_agent_id("*");  // the user's agents, not the user
      return true;
    case pb::FREEZE_SCOPE_MODEL:
      match->set_model(freeze.value());
      return true;
    case pb::FREEZE_SCOPE_TENANT:
      match->set_agent_id("*");
      return freeze.value() == own_tenant;
    case pb::FREEZE_SCOPE_ALL:
      match->set_agent_id("*");
      return true;
    default:
      return false;
  }
}

void add_pending(std::vector<pb::Freeze> pending, std::vector<pb::Freeze>& freezes) {
  for (pb::Freeze& one : pending) {
    const bool is_stored = std::any_of(freezes.begin(), freezes.end(),
                                       [&](const auto& other) { return other.id() == one.id(); });
    if (!is_stored && freezes.size() < FreezeLedger::kMaxLive) freezes.push_back(std::move(one));
  }
}

pb::OrderAction action_of(const pb::Freeze& freeze) {
  if (freeze.scope() == pb::FREEZE_SCOPE_MODEL) return pb::ORDER_ACTION_BLOCK;
  return freeze.kill() ? pb::ORDER_ACTION_KILL : pb::ORDER_ACTION_QUARANTINE;
}

pb::Order make_order(const pb::Freeze& freeze) {
  pb::Order order;
  order.set_id(model::freeze_order_id(freeze.id()));
  order.set_action(action_of(freeze));
  order.set_mode(pb::ORDER_MODE_ENFORCE);
  order.set_kill(freeze.kill());
  order.set_reason(freeze.reason());
  *order.mutable_created() = freeze.created();
  order.set_created_by(freeze.created_by());
  if (freeze.has_expires()) *order.mutable_expires() = freeze.expires();
  return order;
}

}  // namespace

Result<> check_freeze(const pb::Freeze& freeze) {
  if (!pb::FreezeScope_IsValid(freeze.scope()) || freeze.scope() == pb::FREEZE_SCOPE_UNSPECIFIED)
    return fail(Errc::kInvalid, "scope: agent, session, user, model, tenant or all is needed");
  const bool is_all = freeze.scope() == pb::FREEZE_SCOPE_ALL;
  if (is_all != freeze.value().empty())
    return fail(Errc::kInvalid,
                is_all ? "value: everybody has no name; leave it out" : "value: whom?");
  AISPM_CHECK(check_text(freeze.value(), "value"));
  return check_reason(freeze.reason());
}

Result<> FreezeLedger::raise_version() {
  AISPM_CHECK(raise_counter(database_, "freeze_version"));
  return raise_counter(database_, "order_version");  // sensors get them as orders
}

Result<pb::Freeze> FreezeLedger::read(const Statement& row) {
  pb::Freeze freeze;
  const std::string_view body = row.blob(2);
  if (!freeze.ParseFromArray(body.data(), static_cast<int>(body.size())))
    return fail(Errc::kInternal, "store: a freeze cannot be read");
  if (!row.is_null(3)) {
    set_time(row.integer(3), freeze.mutable_lifted());
    freeze.set_lifted_by(row.text(4));
  }
  return freeze;
}

Result<> FreezeLedger::add_states(pb::Freeze* freeze) {
  AISPM_TRY(Statement* const find,
            database_.cached("SELECT host_id, component, problem, time, latency_us FROM "
                             "freeze_states WHERE freeze_id=? ORDER BY host_id, component "
                             "LIMIT 1000"));
  find->bind(freeze->id());
  for (;;) {
    AISPM_TRY(const bool is_row, find->step());
    if (!is_row) return {};
    pb::FreezeHostState& state = *freeze->add_states();
    state.set_host_id(find->text(0));
    state.set_component(find->text(1));
    state.set_problem(find->text(2));
    set_time(find->integer(3), state.mutable_time());
    state.set_latency_us(find->count(4));
  }
}

Result<> FreezeLedger::check_room(WallTime now) {
  AISPM_TRY(const auto in_force, live(now));
  if (in_force.size() >= kMaxLive)
    return fail(Errc::kExhausted, "at most 48 freezes may be in force: lift some, or freeze all");
  return {};
}

Result<pb::Freeze> FreezeLedger::create(const pb::CreateFreezeRequest& request,
                                        const std::string& who, WallTime now) {
  AISPM_TRY(pb::Freeze freeze, prepare(request, who, now));
  AISPM_CHECK(store(freeze, now));
  return freeze;
}

Result<pb::Freeze> FreezeLedger::prepare(const pb::CreateFreezeRequest& request,
                                         const std::string& who, WallTime now) {
  AISPM_CHECK(check_freeze(request.freeze()));
  if (request.valid_seconds() > kMaxValidSeconds)
    return fail(Errc::kInvalid, "valid_seconds: at most 31622400 (366 days) is allowed");
  pb::Freeze freeze;
  freeze.set_id(make_uuid());
  freeze.set_scope(request.freeze().scope());
  freeze.set_value(request.freeze().value());
  freeze.set_kill(request.freeze().kill());
  freeze.set_reason(request.freeze().reason());
  freeze.set_created_by(who);
  set_time(now.nanoseconds, freeze.mutable_created());
  if (request.valid_seconds() > 0)
    set_time(now.nanoseconds + std::int64_t{request.valid_seconds()} * 1'000'000'000,
             freeze.mutable_expires());
  AISPM_CHECK(check_room(now));
  return freeze;
}

Result<> FreezeLedger::store(const pb::Freeze& freeze, WallTime now) {
  std::optional<std::int64_t> expires;
  if (freeze.has_expires())
    expires = freeze.expires().seconds() * 1'000'000'000 + freeze.expires().nanos();
  AISPM_TRY(Transaction transaction, Transaction::begin(database_));
  AISPM_CHECK(check_room(now));
  const std::string body = freeze.SerializeAsString();
  AISPM_CHECK(run_sql(database_,
                      "INSERT INTO freezes (freeze_id, body, created, expires) VALUES (?,?,?,?)",
                      freeze.id(), Blob{body}, now.nanoseconds, expires));
  AISPM_CHECK(raise_version());
  AISPM_CHECK(note(database_, freeze, freeze.kill() ? "freeze.kill" : "freeze.create",
                   freeze.created_by(), freeze.reason(), now));
  return transaction.commit();
}

Result<pb::FreezeList> FreezeLedger::list(const pb::ListFreezesRequest& request, WallTime now) {
  const QueryDeadline deadline(database_);
  AISPM_TRY(const std::uint32_t limit, page_limit(request.page_size()));
  AISPM_TRY(const auto after, PageToken::decode(request.page_token()));
  AISPM_TRY(Statement* const find,
            database_.cached(std::string(kColumns) + "WHERE (?2 OR (" + std::string(kIsLive) +
                             ")) AND (?3 OR ref < ?4) ORDER BY ref DESC LIMIT ?5"));
  find->bind(now.nanoseconds, request.with_past(), !after, after ? after->ref : 0, limit + 1);
  pb::FreezeList list;
  AISPM_TRY(*list.mutable_next_page_token(),
            read_page(*find, limit, 0, 0, [&](const Statement& row) -> Result<> {
              AISPM_TRY(*list.add_freezes(), read(row));
              return {};
            }));
  for (pb::Freeze& freeze : *list.mutable_freezes()) AISPM_CHECK(add_states(&freeze));
  return list;
}

Result<pb::Freeze> FreezeLedger::lift(const pb::LiftFreezeRequest& request, const std::string& who,
                                      WallTime now) {
  AISPM_CHECK(check_reason(request.reason()));
  AISPM_TRY(Transaction transaction, Transaction::begin(database_));
  AISPM_CHECK(run_sql(database_,
                      "UPDATE freezes SET lifted=?1, lifted_by=?2 WHERE freeze_id=?3 AND "
                      "lifted IS NULL AND (expires IS NULL OR expires > ?1)",
                      now.nanoseconds, who, request.freeze_id()));
  if (database_.changes() == 0) return fail(Errc::kNotFound, "no freeze in force has that id");
  AISPM_TRY(Statement* const find, database_.cached(std::string(kColumns) + "WHERE freeze_id=?"));
  AISPM_TRY(const bool is_row, find->bind(request.freeze_id()).step());
  if (!is_row) return fail(Errc::kInternal, "store: the freeze vanished");
  AISPM_TRY(pb::Freeze freeze, read(*find));
  find->reset();
  AISPM_CHECK(raise_version());
  AISPM_CHECK(note(database_, freeze, "freeze.lift", who, request.reason(), now));
  AISPM_CHECK(transaction.commit());
  return freeze;
}

Result<std::vector<pb::Freeze>> FreezeLedger::live(WallTime now) {
  AISPM_TRY(Statement* const find, database_.cached(std::string(kColumns) + "WHERE " +
                                                    std::string(kIsLive) + "ORDER BY ref"));
  find->bind(now.nanoseconds);
  std::vector<pb::Freeze> freezes;
  for (;;) {
    AISPM_TRY(const bool is_row, find->step());
    if (!is_row) return freezes;
    AISPM_TRY(pb::Freeze freeze, read(*find));
    freezes.push_back(std::move(freeze));
  }
}

Result<pb::FreezeSnapshot> FreezeLedger::snapshot(WallTime now, std::vector<pb::Freeze> pending) {
  pb::FreezeSnapshot snapshot;
  AISPM_TRY(const std::uint64_t version, read_counter(database_, "freeze_version"));
  snapshot.set_version(version);
  snapshot.set_tenant(tenant_);
  AISPM_TRY(auto freezes, live(now));
  add_pending(std::move(pending), freezes);
  for (pb::Freeze& freeze : freezes) *snapshot.add_freezes() = std::move(freeze);
  return snapshot;
}

Result<std::vector<pb::Order>> FreezeLedger::orders(const std::string& host_id, WallTime now,
                                                    std::vector<pb::Freeze> pending) {
  AISPM_TRY(auto freezes, live(now));
  add_pending(std::move(pending), freezes);
  std::vector<pb::Order> orders;
  if (freezes.empty()) return orders;
  AISPM_TRY(const FrozenRuns runs, FrozenRuns::of_host(database_, host_id));
  for (const pb::Freeze& freeze : freezes) {
    pb::Order order = make_order(freeze);
    if (match_of(freeze, tenant_, order.mutable_match())) orders.push_back(order);
  }
  for (const pb::Freeze& freeze : freezes) {
    for (const model::RunInit& init : runs.meant_by(freeze, tenant_).inits) {
      if (orders.size() >= kMaxOrders) {
        log::warn("freeze.no_room", {{"host", host_id}, {"most", kMaxOrders}});
        return orders;
      }
      pb::Order order = make_order(freeze);
      order.set_id(model::freeze_order_id(freeze.id(), init.pid));
      order.mutable_match()->set_host_id(host_id);
      order.mutable_match()->set_pid(init.pid);
      order.mutable_match()->set_start_boottime_ns(init.start_boottime_ns);
      orders.push_back(std::move(order));
    }
  }
  return orders;
}

Result<> FreezeLedger::acknowledge(const std::string& host_id, const std::string& component,
                                   const pb::AckFreezesRequest& request, WallTime now) {
  if (static_cast<std::size_t>(request.states_size()) > 16 * kMaxLive)
    return fail(Errc::kTooLarge, "states: more than there are freezes");
  AISPM_TRY(Transaction transaction, Transaction::begin(database_));
  for (const auto& state : request.states()) {
    std::string problem = state.problem();
    cut_utf8(problem, limits::kMaxNameBytes);
    // The first word that it is in force says how long that took; later ones repeat it.
    AISPM_CHECK(run_sql(
        database_,
        "INSERT INTO freeze_states (freeze_id, host_id, component, problem, time, latency_us) "
        "SELECT freeze_id, ?2, ?3, ?4, ?5, MAX(0, ?5 - created) / 1000 FROM freezes "
        "WHERE freeze_id=?1 AND (SELECT COUNT(*) FROM freeze_states s WHERE s.freeze_id=?1 AND "
        "s.host_id=?2 AND s.component<>?3)<?6 ON CONFLICT DO UPDATE SET "
        "latency_us=CASE WHEN freeze_states.problem='' THEN latency_us ELSE excluded.latency_us "
        "END, problem=excluded.problem, time=excluded.time",
        state.freeze_id(), host_id, component, problem, now.nanoseconds, kMaxDaemonsOfHost));
  }
  return transaction.commit();
}

}  // namespace aispm::collector::store
