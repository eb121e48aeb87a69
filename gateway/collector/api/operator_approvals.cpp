// SPDX-License-Identifier: Apache-2.0
#include "gateway/collector/api/operator_approvals.hpp"

#include "aispm/v1/api.pb.h"
#include "gateway/collector/store/approval_links.hpp"
#include "sdk/core/common/log.hpp"

namespace aispm::collector::api {

namespace pb = aispm::v1;

namespace {

store::Approver approver_of(const Desk& desk) {
  return {.name = desk.caller.name,
          .person = desk.caller.note,
          .role = desk.caller.role,
          .roles = desk.caller.approves};
}

}  // namespace

void add_approvals(Handlers& handlers, const WallClock& clock, Approvals& approvals) {
  add_handler<pb::ListApprovalsRequest, pb::ApprovalList>(
      handlers, "ListApprovals", [clock](Desk& desk, const pb::ListApprovalsRequest& request) {
        return store::ApprovalBook(desk.database).list(request, clock());
      });
  add_handler<pb::GetApprovalRequest, pb::Approval>(
      handlers, "GetApproval", [clock](Desk& desk, const pb::GetApprovalRequest& request) {
        return store::ApprovalBook(desk.database).get(request.approval_id(), clock());
      });
  add_handler<pb::DecideApprovalRequest, pb::Approval>(
      handlers, "DecideApproval",
      [clock, &approvals](Desk& desk,
                          const pb::DecideApprovalRequest& request) -> Result<pb::Approval> {
        AISPM_TRY(pb::Approval approval,
                  store::ApprovalBook(desk.database).decide(request, approver_of(desk), clock()));
        log::info("approval.answered", {{"approval", approval.id()},
                                        {"state", store::name_of(approval.state())},
                                        {"by", approval.decided_by()}});
        approvals.changes.announce();
        if (approvals.wake_audit) approvals.wake_audit();
        if (request.answer() == pb::APPROVAL_ANSWER_ESCALATE && approvals.on_asked)
          approvals.on_asked();
        return approval;
      });
  add_handler<pb::CreateApprovalLinkRequest, pb::ApprovalLink>(
      handlers, "CreateApprovalLink",
      [clock, &approvals](Desk& desk, const pb::CreateApprovalLinkRequest& request) {
        return store::ApprovalLinks(desk.database, approvals.link_key)
            .create(request, approver_of(desk), clock());
      });
}

}  // namespace aispm::collector::api
