// SPDX-License-Identifier: Apache-2.0
#include "sdk/core/report/approval_client.hpp"

#include <condition_variable>
#include <mutex>

#include "sdk/core/common/utf8.hpp"
#include "sdk/core/report/snapshot_follower.hpp"

namespace aispm::report {
namespace {

constexpr std::chrono::seconds kCallLimit{10};

using ApprovalFollower = SnapshotFollower<v1::WatchApprovalsRequest, v1::ApprovalSnapshot>;

ApprovalState state_of(v1::ApprovalState state) {
  switch (state) {
    case v1::APPROVAL_STATE_PENDING:
      return ApprovalState::kPending;
    case v1::APPROVAL_STATE_APPROVED:
      return ApprovalState::kApproved;
    case v1::APPROVAL_STATE_EXPIRED:
      return ApprovalState::kExpired;
    case v1::APPROVAL_STATE_USED:
      return ApprovalState::kUsed;
    case v1::APPROVAL_STATE_ESCALATED:
      return ApprovalState::kEscalated;
    case v1::APPROVAL_STATE_TAKEN_OVER:
      return ApprovalState::kTakenOver;
    default:  // also states of a newer collector: nothing passes
      return ApprovalState::kDenied;
  }
}

Approval from_proto(const v1::Approval& from) {
  Approval to;
  to.id = from.id();
  to.kind = from.kind() == v1::APPROVAL_KIND_HUMAN ? ApprovalKind::kHuman : ApprovalKind::kApproval;
  to.state = state_of(from.state());
  to.agent_id = from.agent_id();
  to.session_id = from.session_id();
  to.requester = from.requester();
  to.trace_id = from.trace_id();
  to.tool = from.tool();
  to.tool_provider = from.tool_provider();
  to.digest = from.digest();
  to.arguments_text = from.arguments_text();
  to.policy_id = from.policy_id();
  to.policy_version = from.policy_version();
  to.rule_id = from.rule_id();
  to.reason = from.reason();
  to.approver_role = from.approver_role();
  to.risk = from.risk();
  to.expires.nanoseconds = from.expires().seconds() * 1'000'000'000 + from.expires().nanos();
  to.decided_by = from.decided_by();
  to.decision_reason = from.decision_reason();
  to.result = from.result();
  return to;
}

v1::Approval to_proto(const Approval& from) {
  v1::Approval to;
  to.set_kind(from.kind == ApprovalKind::kHuman ? v1::APPROVAL_KIND_HUMAN
                                                : v1::APPROVAL_KIND_APPROVAL);
  to.set_agent_id(to_utf8(from.agent_id));
  to.set_session_id(to_utf8(from.session_id));
  to.set_requester(to_utf8(from.requester));
  to.set_trace_id(to_utf8(from.trace_id));
  to.set_tool(to_utf8(from.tool));
  to.set_tool_provider(to_utf8(from.tool_provider));
  to.set_digest(from.digest);
  to.set_arguments_text(to_utf8(from.arguments_text));
  to.set_policy_id(from.policy_id);
  to.set_policy_version(from.policy_version);
  to.set_rule_id(to_utf8(from.rule_id));
  to.set_reason(to_utf8(from.reason));
  to.set_approver_role(to_utf8(from.approver_role));
  to.set_risk(from.risk);
  return to;
}

// One unary call, alive until it is answered.
template <typename Request>
struct Call {
  explicit Call(const std::shared_ptr<grpc::Channel>& channel)
      : stub(v1::Ingest::NewStub(channel)) {
    context.set_deadline(std::chrono::system_clock::now() + kCallLimit);
  }
  std::unique_ptr<v1::Ingest::Stub> stub;
  grpc::ClientContext context;
  Request request;
  v1::Approval reply;
};

class GrpcApprovalClient final : public ApprovalClient {
 public:
  GrpcApprovalClient(const ReporterOptions& options, OnChange on_change)
      : collector_(options.collector),
        on_change_(std::move(on_change)),
        follower_(options, subject()) {}

  void request(const Approval& wanted, std::chrono::seconds valid, Answer answer) override {
    auto call = open<v1::RequestApprovalRequest>(answer);
    if (!call) return;
    *call->request.mutable_approval() = to_proto(wanted);
    call->request.set_valid_seconds(static_cast<std::uint32_t>(valid.count()));
    call->stub->async()->RequestApproval(&call->context, &call->request, &call->reply,
                                         finish(call, std::move(answer)));
  }

  void use(const Approval& approval, Answer answer) override {
    auto call = open<v1::UseApprovalRequest>(answer);
    if (!call) return;
    call->request.set_approval_id(approval.id);
    call->request.set_digest(approval.digest);
    call->request.set_agent_id(to_utf8(approval.agent_id));
    call->stub->async()->UseApproval(&call->context, &call->request, &call->reply,
                                     finish(call, std::move(answer)));
  }

 private:
  // Null without a connection: `answer` was told.
  template <typename Request>
  std::shared_ptr<Call<Request>> open(const Answer& answer) {
    std::shared_ptr<grpc::Channel> channel;
    {
      const std::scoped_lock guard(mutex_);
      channel = channel_;
    }
    if (channel) return std::make_shared<Call<Request>>(channel);
    answer(fail(Errc::kUnavailable, "no connection to the collector"));
    return nullptr;
  }

  template <typename Request>
  std::function<void(grpc::Status)> finish(const std::shared_ptr<Call<Request>>& call,
                                           Answer answer) const {
    return [call, answer = std::move(answer), collector = collector_](const grpc::Status& status) {
      if (status.ok()) return answer(from_proto(call->reply));
      answer(fail(from_grpc(status, "collector " + collector)));
    };
  }

  ApprovalFollower::Subject subject() {
    return {
        .name = "approvals",
        .call = [](v1::Ingest::Stub& stub, auto... rest) { stub.async()->WatchApprovals(rest...); },
        .take =
            [this](const v1::ApprovalSnapshot& snapshot) {
              std::vector<Approval> approvals;
              for (const v1::Approval& one : snapshot.approvals())
                approvals.push_back(from_proto(one));
              on_change_(std::move(approvals));
            },
        .take_nothing = [] {},
        .meanwhile = [this](const auto& channel,
                            const std::stop_token& end) { lend(channel, end); }};
  }

  // Calls go over the connection that is followed.
  void lend(const std::shared_ptr<grpc::Channel>& channel, const std::stop_token& end) {
    std::unique_lock guard(mutex_);
    channel_ = channel;
    std::condition_variable_any().wait(guard, end, [] { return false; });
    channel_.reset();
  }

  const std::string collector_;
  const OnChange on_change_;
  std::mutex mutex_;  // guards the next
  std::shared_ptr<grpc::Channel> channel_;
  ApprovalFollower follower_;
};

}  // namespace

Result<std::unique_ptr<ApprovalClient>> ApprovalClient::open(const ReporterOptions& options,
                                                             OnChange on_change) {
  AISPM_CHECK(prepare_to_follow(options));
  return std::make_unique<GrpcApprovalClient>(options, std::move(on_change));
}

}  // namespace aispm::report
