// SPDX-License-Identifier: Apache-2.0
#include "gateway/collector/ingest/approval_calls.hpp"

#include "gateway/collector/ingest/peer.hpp"
#include "gateway/collector/ingest/snapshot_watch.hpp"
#include "gateway/collector/store/approval_book.hpp"
#include "sdk/core/common/log.hpp"

namespace aispm::collector {

namespace pb = aispm::v1;

namespace {

// Runs `handle(desk)` on a worker and answers the call with what it gives.
template <typename Handle>
void run(const IngestSurroundings& surroundings, const Result<pki::Identity>& identity,
         pb::Approval* reply, grpc::ServerUnaryReactor* reactor, Handle handle) {
  if (auto may = must_be("gateway", identity); !may) return reactor->Finish(to_grpc(may.error()));
  auto posted = surroundings.workers.post([reactor, reply, handle](Desk& desk) {
    auto answered = handle(desk);
    if (!answered) return reactor->Finish(to_grpc(answered.error()));
    *reply = std::move(*answered);
    reactor->Finish(grpc::Status::OK);
  });
  if (!posted) reactor->Finish(to_grpc(posted.error()));
}

}  // namespace

grpc::ServerWriteReactor<pb::ApprovalSnapshot>* make_approval_watch(
    const IngestSurroundings& surroundings, const Result<pki::Identity>& identity) {
  return new SnapshotWatch<pb::ApprovalSnapshot>(
      surroundings.workers, surroundings.approvals.changes, must_be("gateway", identity),
      [host = identity ? identity->host_id : "", clock = surroundings.clock](Desk& desk) {
        return store::ApprovalBook(desk.database).snapshot_for(host, clock());
      });
}

void answer_approval_request(const IngestSurroundings& surroundings,
                             const Result<pki::Identity>& identity,
                             const pb::RequestApprovalRequest& request, pb::Approval* reply,
                             grpc::ServerUnaryReactor* reactor) {
  run(surroundings, identity, reply, reactor,
      [request, host = identity ? identity->host_id : "", tenant = surroundings.tenant,
       clock = surroundings.clock,
       &approvals = surroundings.approvals](Desk& desk) -> Result<pb::Approval> {
        pb::RequestApprovalRequest wanted = request;
        wanted.mutable_approval()->set_tenant(tenant);
        const WallTime asked = clock();
        AISPM_TRY(pb::Approval approval,
                  store::ApprovalBook(desk.database).request(wanted, host, asked));
        log::info("approval.requested", {{"approval", approval.id()},
                                         {"agent", approval.agent_id()},
                                         {"tool", approval.tool()},
                                         {"rule", approval.rule_id()}});
        approvals.changes.announce();
        const bool is_new =
            approval.created().seconds() * 1'000'000'000 + approval.created().nanos() ==
            asked.nanoseconds;
        if (is_new && approvals.on_asked) approvals.on_asked();
        return approval;
      });
}

void answer_approval_use(const IngestSurroundings& surroundings,
                         const Result<pki::Identity>& identity,
                         const pb::UseApprovalRequest& request, pb::Approval* reply,
                         grpc::ServerUnaryReactor* reactor) {
  run(surroundings, identity, reply, reactor,
      [request, host = identity ? identity->host_id : "", clock = surroundings.clock,
       &approvals = surroundings.approvals](Desk& desk) -> Result<pb::Approval> {
        AISPM_TRY(pb::Approval approval,
                  store::ApprovalBook(desk.database).use(request, host, clock()));
        approvals.changes.announce();
        if (approvals.wake_audit) approvals.wake_audit();
        return approval;
      });
}

}  // namespace aispm::collector
