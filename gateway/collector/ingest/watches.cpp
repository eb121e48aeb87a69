// SPDX-License-Identifier: Apache-2.0
#include "gateway/collector/ingest/watches.hpp"

#include "gateway/collector/ingest/peer.hpp"
#include "gateway/collector/ingest/snapshot_watch.hpp"
#include "gateway/collector/store/order_book.hpp"

namespace aispm::collector {

namespace pb = aispm::v1;

grpc::ServerWriteReactor<pb::AgentKeySnapshot>* make_key_watch(
    const IngestSurroundings& surroundings, const Result<pki::Identity>& identity) {
  return new SnapshotWatch<pb::AgentKeySnapshot>(
      surroundings.workers, surroundings.key_changes, must_be("gateway", identity),
      [tenant = surroundings.tenant](Desk& desk) { return desk.registry.agent_keys(tenant); });
}

grpc::ServerWriteReactor<pb::OrderSnapshot>* make_order_watch(
    const IngestSurroundings& surroundings, const Result<pki::Identity>& identity) {
  return new SnapshotWatch<pb::OrderSnapshot>(
      surroundings.workers, surroundings.order_changes, must_be("sensord", identity),
      [host = identity ? identity->host_id : "", clock = surroundings.clock](Desk& desk) {
        return store::OrderBook(desk.database).snapshot_for(host, clock());
      });
}

void answer_order_ack(const IngestSurroundings& surroundings, const Result<pki::Identity>& identity,
                      const pb::AckOrdersRequest& request, grpc::ServerUnaryReactor* reactor) {
  if (auto may = must_be("sensord", identity); !may) return reactor->Finish(to_grpc(may.error()));
  auto posted = surroundings.workers.post(
      [reactor, request, host = identity->host_id, clock = surroundings.clock](Desk& desk) {
        auto done = store::OrderBook(desk.database).acknowledge(host, request, clock());
        reactor->Finish(done ? grpc::Status::OK : to_grpc(done.error()));
      });
  if (!posted) reactor->Finish(to_grpc(posted.error()));
}

}  // namespace aispm::collector
