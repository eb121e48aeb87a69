// SPDX-License-Identifier: Apache-2.0
#include "gateway/collector/ingest/watches.hpp"

#include <algorithm>

#include "gateway/collector/ingest/follower.hpp"
#include "gateway/collector/ingest/peer.hpp"
#include "gateway/collector/ingest/policy_orders.hpp"
#include "gateway/collector/ingest/snapshot_watch.hpp"
#include "gateway/collector/store/freeze_ledger.hpp"
#include "gateway/collector/store/freeze_orders.hpp"
#include "gateway/collector/store/order_book.hpp"
#include "gateway/collector/store/policy_shelf.hpp"

namespace aispm::collector {

namespace pb = aispm::v1;

namespace {

// What policies say to the sensor of a host, beside `orders` of operators.
Result<PolicyOrders> policies_for(Desk& desk, const std::string& host, const std::string& tenant,
                                  int orders) {
  AISPM_TRY(const pb::PolicySnapshot policies,
            store::PolicyShelf(desk.database).snapshot_for(host));
  // Freezes have room of their own.
  const auto taken = std::min(static_cast<std::size_t>(orders), store::OrderBook::kMaxLive);
  return orders_of(policies, tenant, store::OrderBook::kMaxLive - taken);
}

// Orders, and policies and freezes as orders.
Result<pb::OrderSnapshot> orders_for(Desk& desk, const std::string& host, const std::string& tenant,
                                     const PendingFreezes& pending, WallTime now) {
  auto ordered = pending.list();  // before the store is read
  AISPM_TRY(pb::OrderSnapshot snapshot, store::OrderBook(desk.database).snapshot_for(host, now));
  AISPM_TRY(PolicyOrders policies, policies_for(desk, host, tenant, snapshot.orders_size()));
  for (pb::Order& order : policies.orders) *snapshot.add_orders() = std::move(order);
  AISPM_TRY(auto freezes,
            store::FreezeLedger(desk.database, tenant).orders(host, now, std::move(ordered)));
  for (pb::Order& order : freezes) *snapshot.add_orders() = std::move(order);
  return snapshot;
}

Result<> take_order_ack(Desk& desk, const std::string& host, const std::string& tenant,
                        const pb::AckOrdersRequest& request, WallTime now) {
  AISPM_CHECK(store::OrderBook(desk.database).acknowledge(host, request, now));
  AISPM_TRY(const auto orders, store::OrderBook(desk.database).snapshot_for(host, now));
  AISPM_TRY(const PolicyOrders policies, policies_for(desk, host, tenant, orders.orders_size()));
  if (const auto states = policy_states(policies, request); !states.states().empty())
    return store::PolicyShelf(desk.database).acknowledge(host, "sensord", states, now);
  return {};
}

// Of the freezes among them.
Result<> take_freeze_ack(Desk& desk, const std::string& host, const std::string& tenant,
                         const pb::AckOrdersRequest& request, WallTime now) {
  AISPM_TRY(const auto freezes,
            store::FreezeOrders(desk.database, tenant).states(host, request, now));
  if (freezes.states().empty()) return {};
  return store::FreezeLedger(desk.database, tenant).acknowledge(host, "sensord", freezes, now);
}

Result<> must_be_daemon(const Result<pki::Identity>& caller) {
  if (!caller) return fail(caller.error());
  // An instance may stand behind it (follower.hpp).
  const std::string component = caller->component.substr(0, caller->component.find(' '));
  if (component != "gateway" && component != "sensord")
    return fail(Errc::kDenied, "only a gateway or a sensor may call this");
  return {};
}

// `store(desk)` runs on a worker and ends the call.
template <typename Store>
void answer_later(Workers& workers, const Result<>& may, grpc::ServerUnaryReactor* reactor,
                  Store store) {
  if (!may) return reactor->Finish(to_grpc(may.error()));
  auto posted = workers.post([reactor, store = std::move(store)](Desk& desk) {
    auto done = store(desk);
    reactor->Finish(done ? grpc::Status::OK : to_grpc(done.error()));
  });
  if (!posted) reactor->Finish(to_grpc(posted.error()));
}

}  // namespace

grpc::ServerWriteReactor<pb::AgentKeySnapshot>* make_key_watch(
    const IngestSurroundings& surroundings, const Result<pki::Identity>& identity) {
  return new SnapshotWatch<pb::AgentKeySnapshot>(
      surroundings.workers, surroundings.key_changes, must_be("gateway", identity),
      [tenant = surroundings.tenant](Desk& desk) { return desk.registry.agent_keys(tenant); });
}

grpc::ServerWriteReactor<pb::OrderSnapshot>* make_order_watch(
    const IngestSurroundings& surroundings, const Result<pki::Identity>& identity) {
  return new SnapshotWatch<pb::OrderSnapshot>(  // freezes are among them
      surroundings.urgent, surroundings.order_changes, must_be("sensord", identity),
      [host = identity ? identity->host_id : "", clock = surroundings.clock,
       tenant = surroundings.tenant, &pending = surroundings.control.pending_freezes](Desk& desk) {
        return orders_for(desk, host, tenant, pending, clock());
      });
}

void answer_order_ack(const IngestSurroundings& surroundings, const Result<pki::Identity>& identity,
                      const pb::AckOrdersRequest& request, grpc::ServerUnaryReactor* reactor) {
  if (const auto may = must_be("sensord", identity); !may)
    return reactor->Finish(to_grpc(may.error()));
  const auto take = [request, host = identity->host_id, clock = surroundings.clock,
                     tenant = surroundings.tenant](auto take_part) {
    return [=](Desk& desk) { return take_part(desk, host, tenant, request, clock()); };
  };
  // How a freeze stands does not wait behind searches and the reading of policies.
  auto posted = surroundings.urgent.post([&workers = surroundings.workers, reactor,
                                          freezes = take(take_freeze_ack),
                                          orders = take(take_order_ack)](Desk& desk) {
    if (const auto done = freezes(desk); !done) return reactor->Finish(to_grpc(done.error()));
    answer_later(workers, {}, reactor, orders);
  });
  if (!posted) reactor->Finish(to_grpc(posted.error()));
}

grpc::ServerWriteReactor<pb::PolicySnapshot>* make_policy_watch(
    const IngestSurroundings& surroundings, const Result<pki::Identity>& identity) {
  return new SnapshotWatch<pb::PolicySnapshot>(
      surroundings.workers, surroundings.control.policy_changes, must_be_daemon(identity),
      [host = identity ? identity->host_id : "",
       link = identity ? hold_link(surroundings.links, {identity->host_id, identity->component})
                       : nullptr](Desk& desk) {
        return store::PolicyShelf(desk.database).snapshot_for(host);
      });
}

grpc::ServerWriteReactor<pb::FreezeSnapshot>* make_freeze_watch(
    const IngestSurroundings& surroundings, const Result<pki::Identity>& identity) {
  return new SnapshotWatch<pb::FreezeSnapshot>(
      surroundings.urgent, surroundings.control.freeze_changes, must_be_daemon(identity),
      [clock = surroundings.clock, tenant = surroundings.tenant,
       &pending = surroundings.control.pending_freezes](Desk& desk) {
        auto ordered = pending.list();  // before the store is read
        return store::FreezeLedger(desk.database, tenant).snapshot(clock(), std::move(ordered));
      });
}

void answer_policy_ack(const IngestSurroundings& surroundings,
                       const Result<pki::Identity>& identity, const pb::AckPoliciesRequest& request,
                       grpc::ServerUnaryReactor* reactor) {
  answer_later(surroundings.workers, must_be_daemon(identity), reactor,
               [request, who = identity ? *identity : pki::Identity{},
                clock = surroundings.clock](Desk& desk) {
                 return store::PolicyShelf(desk.database)
                     .acknowledge(who.host_id, who.component, request, clock());
               });
}

void answer_freeze_ack(const IngestSurroundings& surroundings,
                       const Result<pki::Identity>& identity, const pb::AckFreezesRequest& request,
                       grpc::ServerUnaryReactor* reactor) {
  answer_later(surroundings.urgent, must_be_daemon(identity), reactor,
               [request, who = identity ? *identity : pki::Identity{}, clock = surroundings.clock,
                tenant = surroundings.tenant](Desk& desk) {
                 return store::FreezeLedger(desk.database, tenant)
                     .acknowledge(who.host_id, who.component, request, clock());
               });
}

}  // namespace aispm::collector
