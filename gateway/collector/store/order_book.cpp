// SPDX-License-Identifier: Apache-2.0
#include "gateway/collector/store/order_book.hpp"

#include "gateway/collector/limits.hpp"
#include "gateway/collector/store/checks.hpp"
#include "gateway/collector/store/freeze_ledger.hpp"
#include "gateway/collector/store/paging.hpp"
#include "gateway/collector/store/registry.hpp"
#include "sdk/core/common/id.hpp"
#include "sdk/core/common/utf8.hpp"
#include "sdk/core/model/freeze_orders.hpp"

namespace aispm::collector::store {
namespace {

constexpr std::string_view kColumns =
    "SELECT ref, order_id, body, created, created_by, expires, deleted, deleted_by FROM orders ";

bool names_process(const pb::OrderMatch& match) {
  return match.pid() != 0 || !match.exe().empty() || !match.agent_id().empty() ||
         !match.user().empty() || !match.cgroup().empty() || !match.container_id().empty();
}

bool names_anything(const pb::Order& order) {
  const pb::OrderMatch& match = order.match();
  return names_process(match) || match.addresses_size() > 0 || match.ports_size() > 0 ||
         !match.domain().empty() || !match.provider().empty() || !match.model().empty() ||
         !order.detection().empty() || order.raw_sockets() || order.kernel_writes() ||
         order.tamper() || order.programs_size() > 0 || order.write_folders_size() > 0 ||
         order.approved_size() > 0;
}

Result<> check_match(const pb::OrderMatch& match) {
  const std::pair<const std::string*, const char*> texts[] = {
      {&match.host_id(), "match.host_id"},   {&match.exe(), "match.exe"},
      {&match.agent_id(), "match.agent_id"}, {&match.user(), "match.user"},
      {&match.cgroup(), "match.cgroup"},     {&match.container_id(), "match.container_id"},
      {&match.domain(), "match.domain"},     {&match.provider(), "match.provider"},
      {&match.model(), "match.model"}};
  for (const auto& [text, field] : texts) AISPM_CHECK(check_text(*text, field));
  if ((match.pid() == 0) != (match.start_boottime_ns() == 0))
    return fail(Errc::kInvalid,
                "match.pid: give start_boottime_ns as well, because pids are used again");
  if (match.pid() != 0 && match.host_id().empty())
    return fail(Errc::kInvalid, "match.pid: give host_id as well");
  if (match.pid() == 1) return fail(Errc::kInvalid, "match.pid: 1 cannot be touched");
  if (!match.container_id().empty() && match.container_id().size() < 12)
    return fail(Errc::kInvalid, "match.container_id: at least 12 digits are needed");
  AISPM_CHECK(check_list(match.addresses(), "match.addresses", OrderBook::kMaxListItems));
  if (static_cast<std::size_t>(match.ports_size()) > OrderBook::kMaxListItems)
    return fail(Errc::kInvalid, "match.ports: too many");
  for (const std::uint32_t port : match.ports())
    if (port == 0 || port > 65535) return fail(Errc::kInvalid, "match.ports: 1..65535 are allowed");
  return {};
}

}  // namespace

Result<> check_order(const pb::Order& order) {
  if (!pb::OrderAction_IsValid(order.action()) || order.action() == pb::ORDER_ACTION_UNSPECIFIED)
    return fail(Errc::kInvalid, "action: block, allow, quarantine or kill is needed");
  if (!pb::OrderMode_IsValid(order.mode()))
    return fail(Errc::kInvalid, "mode: monitor or enforce is allowed");
  AISPM_CHECK(check_match(order.match()));
  AISPM_CHECK(check_text(order.reason(), "reason"));
  AISPM_CHECK(check_text(order.detection(), "detection"));
  AISPM_CHECK(check_list(order.programs(), "programs", OrderBook::kMaxListItems));
  AISPM_CHECK(check_list(order.write_folders(), "write_folders", OrderBook::kMaxListItems));
  AISPM_CHECK(check_list(order.approved(), "approved", OrderBook::kMaxListItems));
  AISPM_CHECK(check_list(order.egress(), "egress", OrderBook::kMaxListItems));
  const bool is_total =
      order.action() == pb::ORDER_ACTION_QUARANTINE || order.action() == pb::ORDER_ACTION_KILL;
  if (is_total && !names_process(order.match()))
    return fail(Errc::kInvalid,
                "match: quarantine and kill need a process, exe, agent, user, cgroup or container");
  if (!names_anything(order))
    return fail(Errc::kInvalid,
                "match: the order would fit everything; name a process, a "
                "destination or a model");
  return {};
}

Result<> OrderBook::raise_version() { return raise_counter(database_, "order_version"); }

Result<pb::Order> OrderBook::create(const pb::CreateOrderRequest& request, const std::string& who,
                                    WallTime now) {
  pb::Order order = request.order();
  AISPM_CHECK(check_order(order));
  if (request.valid_seconds() > kMaxValidSeconds)
    return fail(Errc::kInvalid, "valid_seconds: at most 31622400 (366 days) is allowed");
  order.set_id(make_uuid());
  if (order.mode() == pb::ORDER_MODE_UNSPECIFIED) order.set_mode(pb::ORDER_MODE_MONITOR);
  order.set_created_by(who);
  set_time(now.nanoseconds, order.mutable_created());
  order.clear_deleted();
  order.clear_deleted_by();
  order.clear_states();
  order.clear_expires();
  std::optional<std::int64_t> expires;
  if (request.valid_seconds() > 0) {
    expires = now.nanoseconds + std::int64_t{request.valid_seconds()} * 1'000'000'000;
    set_time(*expires, order.mutable_expires());
  }
  AISPM_TRY(Transaction transaction, Transaction::begin(database_));
  AISPM_TRY(Statement* const live,
            database_.cached("SELECT COUNT(*) FROM orders WHERE deleted IS NULL AND "
                             "(expires IS NULL OR expires > ?)"));
  AISPM_TRY(const bool is_row, live->bind(now.nanoseconds).step());
  const std::uint64_t count = is_row ? live->count(0) : 0;
  live->reset();
  if (count >= kMaxLive)
    return fail(Errc::kExhausted,
                "at most " + std::to_string(kMaxLive) + " orders may be in force: delete some");
  const std::string body = order.SerializeAsString();
  AISPM_CHECK(run_sql(database_,
                      "INSERT INTO orders (order_id, host_id, body, created, created_by, expires) "
                      "VALUES (?,?,?,?,?,?)",
                      order.id(), order.match().host_id(), Blob{body}, now.nanoseconds, who,
                      expires));
  AISPM_CHECK(raise_version());
  AISPM_CHECK(transaction.commit());
  return order;
}

Result<pb::Order> OrderBook::read(const Statement& row) {
  pb::Order order;
  const std::string_view body = row.blob(2);
  if (!order.ParseFromArray(body.data(), static_cast<int>(body.size())))
    return fail(Errc::kInternal, "store: an order cannot be read");
  if (!row.is_null(6)) {
    set_time(row.integer(6), order.mutable_deleted());
    order.set_deleted_by(row.text(7));
  }
  return order;
}

Result<> OrderBook::add_states(pb::Order* order) {
  AISPM_TRY(Statement* const find,
            database_.cached("SELECT host_id, problem, time FROM order_states WHERE order_id=? "
                             "ORDER BY host_id LIMIT 1000"));
  find->bind(order->id());
  for (;;) {
    AISPM_TRY(const bool is_row, find->step());
    if (!is_row) return {};
    pb::OrderState& state = *order->add_states();
    state.set_host_id(find->text(0));
    state.set_problem(find->text(1));
    state.set_in_force(state.problem().empty());
    set_time(find->integer(2), state.mutable_time());
  }
}

Result<pb::OrderList> OrderBook::list(const pb::ListOrdersRequest& request, WallTime now) {
  const QueryDeadline deadline(database_);
  AISPM_TRY(const std::uint32_t limit, page_limit(request.page_size()));
  AISPM_TRY(const auto after, PageToken::decode(request.page_token()));
  AISPM_TRY(Statement* const find,
            database_.cached(std::string(kColumns) +
                             "WHERE (?1 OR (deleted IS NULL AND (expires IS NULL OR expires > ?2)))"
                             " AND (?3 OR ref < ?4) ORDER BY ref DESC LIMIT ?5"));
  find->bind(request.with_past(), now.nanoseconds, !after, after ? after->ref : 0, limit + 1);
  pb::OrderList list;
  AISPM_TRY(*list.mutable_next_page_token(),
            read_page(*find, limit, 0, 0, [&](const Statement& row) -> Result<> {
              AISPM_TRY(*list.add_orders(), read(row));
              return {};
            }));
  for (pb::Order& order : *list.mutable_orders()) AISPM_CHECK(add_states(&order));
  return list;
}

Result<pb::Order> OrderBook::remove(std::string_view order_id, const std::string& who,
                                    WallTime now) {
  AISPM_TRY(Transaction transaction, Transaction::begin(database_));
  AISPM_CHECK(run_sql(
      database_, "UPDATE orders SET deleted=?, deleted_by=? WHERE order_id=? AND deleted IS NULL",
      now.nanoseconds, who, order_id));
  if (database_.changes() == 0) return fail(Errc::kNotFound, "no order in force has that id");
  AISPM_CHECK(raise_version());
  AISPM_TRY(Statement* const find, database_.cached(std::string(kColumns) + "WHERE order_id=?"));
  AISPM_TRY(const bool is_row, find->bind(order_id).step());
  if (!is_row) return fail(Errc::kInternal, "store: the order vanished");
  auto order = read(*find);
  find->reset();
  AISPM_CHECK(transaction.commit());
  return order;
}

Result<pb::OrderSnapshot> OrderBook::snapshot_for(const std::string& host_id, WallTime now) {
  pb::OrderSnapshot snapshot;
  AISPM_TRY(const std::uint64_t version, read_counter(database_, "order_version"));
  snapshot.set_version(version);
  AISPM_TRY(Statement* const find,
            database_.cached(std::string(kColumns) +
                             "WHERE deleted IS NULL AND (expires IS NULL OR expires > ?) AND "
                             "host_id IN ('', ?) ORDER BY ref"));
  find->bind(now.nanoseconds, host_id);
  for (;;) {
    AISPM_TRY(const bool is_row, find->step());
    if (!is_row) return snapshot;
    AISPM_TRY(*snapshot.add_orders(), read(*find));
  }
}

Result<> OrderBook::acknowledge(const std::string& host_id, const pb::AckOrdersRequest& request,
                                WallTime now) {
  if (static_cast<std::size_t>(request.states_size()) > 4 * kMaxLive + FreezeLedger::kMaxOrders)
    return fail(Errc::kTooLarge, "states: more than there are orders");
  AISPM_TRY(Transaction transaction, Transaction::begin(database_));
  for (const auto& state : request.states()) {
    if (state.order_id().starts_with(model::kFreezeOrder)) continue;  // freezes have states
    std::string problem = state.problem();
    cut_utf8(problem, limits::kMaxNameBytes);
    AISPM_CHECK(run_sql(database_,
                        "INSERT INTO order_states (order_id, host_id, problem, time) "
                        "SELECT order_id, ?2, ?3, ?4 FROM orders WHERE order_id=?1 "
                        "ON CONFLICT DO UPDATE SET problem=excluded.problem, time=excluded.time",
                        state.order_id(), host_id, problem, now.nanoseconds));
  }
  return transaction.commit();
}

}  // namespace aispm::collector::store
