// SPDX-License-Identifier: Apache-2.0
#include "gateway/collector/api/grpc_operator.hpp"

#include "aispm/v1/api.grpc.pb.h"
#include "gateway/collector/grpc_status.hpp"
#include "gateway/collector/reactor_link.hpp"

namespace aispm::collector::api {
namespace {

std::string authorization_of(const grpc::CallbackServerContext& context) {
  const auto found = context.client_metadata().find("authorization");
  if (found == context.client_metadata().end()) return {};
  return {found->second.data(), found->second.size()};
}

// One StreamEvents call. Deletes itself in OnDone; others reach it through its ReactorLink only.
class EventStream : public grpc::ServerWriteReactor<pb::Event> {
 public:
  EventStream(const Operator& handlers, Workers& workers, std::string authorization,
              pb::StreamEventsRequest request)
      : link_(std::make_shared<ReactorLink<EventStream>>(this)) {
    auto posted = workers.post([&handlers, link = link_, authorization = std::move(authorization),
                                request = std::move(request)](Desk& desk) {
      auto subscription = open(handlers, desk, authorization, request, link);
      link->reach([&](EventStream& stream) { stream.begin(std::move(subscription)); });
    });
    const std::lock_guard lock(link_->mutex);
    if (!posted) finish(to_grpc(posted.error()));
  }

  void OnWriteDone(bool ok) override {
    const std::lock_guard lock(link_->mutex);
    is_writing_ = false;
    if (!ok) return finish(grpc::Status::CANCELLED);
    write_next();
  }
  void OnCancel() override {
    const std::lock_guard lock(link_->mutex);
    finish(grpc::Status::CANCELLED);
  }
  void OnDone() override {
    link_->cut();
    delete this;
  }

 private:
  using Link = ReactorLink<EventStream>;

  static Result<std::shared_ptr<Subscription>> open(const Operator& handlers, Desk& desk,
                                                    const std::string& authorization,
                                                    const pb::StreamEventsRequest& request,
                                                    const std::shared_ptr<Link>& link) {
    AISPM_CHECK(handlers.authorise(desk, authorization, *handlers.route("StreamEvents")));
    return handlers.subscribe(request, [weak = std::weak_ptr(link)] {
      if (const auto held = weak.lock())
        held->reach([](EventStream& stream) { stream.write_next(); });
    });
  }

  // All below: the link's mutex is held.
  void begin(Result<std::shared_ptr<Subscription>> subscription) {
    if (!subscription) return finish(to_grpc(subscription.error()));
    subscription_ = std::move(*subscription);
    // The client learns that the subscription stands: what is stored from now on will come.
    if (!is_finished_) StartSendInitialMetadata();
    write_next();
  }
  void write_next() {
    if (is_writing_ || is_finished_ || !subscription_) return;
    current_ = subscription_->take();
    if (current_) {
      is_writing_ = true;
      return StartWrite(current_.get());
    }
    if (const std::uint64_t dropped = subscription_->dropped(); dropped > 0)
      finish({grpc::StatusCode::RESOURCE_EXHAUSTED,
              "this client is too slow: " + std::to_string(dropped) + " events were dropped"});
  }
  void finish(const grpc::Status& status) {
    if (is_finished_) return;
    is_finished_ = true;
    Finish(status);
  }

  const std::shared_ptr<Link> link_;
  std::shared_ptr<Subscription> subscription_;
  std::shared_ptr<const pb::Event> current_;
  bool is_writing_ = false;
  bool is_finished_ = false;
};

using Context = grpc::CallbackServerContext;
using Unary = grpc::ServerUnaryReactor;

// One method of the service.
#define AISPM_UNARY(Method, Request, Reply)                                                \
  Unary* Method(Context* context, const pb::Request* request, pb::Reply* reply) override { \
    return run(#Method, context, request, reply);                                          \
  }

class OperatorService final : public pb::Operator::CallbackService {
 public:
  OperatorService(const Operator& handlers, Workers& workers, Workers& urgent)
      : handlers_(handlers), workers_(workers), urgent_(urgent) {}

  // Each method: authenticated, then answered by the worker that takes it.
  // clang-format off
  AISPM_UNARY(GetOverview, GetOverviewRequest, Overview)
  AISPM_UNARY(GetStatus, GetStatusRequest, Status)
  AISPM_UNARY(ListHosts, ListRequest, HostList)
  AISPM_UNARY(ListProcesses, ListRequest, ProcessList)
  AISPM_UNARY(ListAgents, ListRequest, AgentList)
  AISPM_UNARY(ListProviders, ListRequest, ProviderList)
  AISPM_UNARY(ListModels, ListRequest, ModelList)
  AISPM_UNARY(ListEvents, ListEventsRequest, EventList)
  AISPM_UNARY(GetEvent, GetEventRequest, Event)
  AISPM_UNARY(ListDetections, ListEventsRequest, EventList)
  AISPM_UNARY(ListDecisions, ListEventsRequest, EventList)
  AISPM_UNARY(ListSessions, ListRequest, SessionList)
  AISPM_UNARY(GetSession, GetSessionRequest, SessionStory)
  AISPM_UNARY(CreateAgentKey, CreateAgentKeyRequest, CreatedAgentKey)
  AISPM_UNARY(ListAgentKeys, ListRequest, AgentKeyList)
  AISPM_UNARY(RevokeAgentKey, RevokeAgentKeyRequest, AgentKey)
  AISPM_UNARY(CreateEnrolmentToken, CreateEnrolmentTokenRequest, CreatedEnrolmentToken)
  AISPM_UNARY(ListAssets, ListAssetsRequest, AssetList)
  AISPM_UNARY(GetAsset, GetAssetRequest, InventoryAsset)
  AISPM_UNARY(SetAssetState, SetAssetStateRequest, InventoryAsset)
  AISPM_UNARY(ListMcpServers, ListMcpServersRequest, McpServerList)
  AISPM_UNARY(GetMcpServer, GetMcpServerRequest, McpServer)
  AISPM_UNARY(GetTopology, GetTopologyRequest, Topology)
  AISPM_UNARY(ListCoverage, ListCoverageRequest, CoverageList)
  AISPM_UNARY(ListNames, ListRequest, SeenNameList)
  AISPM_UNARY(GetBaseline, GetBaselineRequest, BaselineReport)
  AISPM_UNARY(ExportBaseline, ExportBaselineRequest, Baseline)
  AISPM_UNARY(ImportBaseline, ImportBaselineRequest, StoredBaseline)
  AISPM_UNARY(ListBaselines, ListRequest, StoredBaselineList)
  AISPM_UNARY(GetInventorySummary, GetInventorySummaryRequest, InventorySummary)
  AISPM_UNARY(GetSpend, GetSpendRequest, Spend)
  AISPM_UNARY(CreateOrder, CreateOrderRequest, Order)
  AISPM_UNARY(ListOrders, ListOrdersRequest, OrderList)
  AISPM_UNARY(DeleteOrder, DeleteOrderRequest, Order)
  AISPM_UNARY(PushPolicy, PushPolicyRequest, Policy)
  AISPM_UNARY(ListPolicies, ListPoliciesRequest, PolicyList)
  AISPM_UNARY(GetPolicy, GetPolicyRequest, Policy)
  AISPM_UNARY(ListPolicyVersions, ListPolicyVersionsRequest, PolicyVersionList)
  AISPM_UNARY(GetPolicyVersion, GetPolicyVersionRequest, PolicyVersion)
  AISPM_UNARY(RestorePolicy, RestorePolicyRequest, Policy)
  AISPM_UNARY(PromotePolicy, PromotePolicyRequest, Policy)
  AISPM_UNARY(SetPolicyScope, SetPolicyScopeRequest, Policy)
  AISPM_UNARY(CreateFreeze, CreateFreezeRequest, Freeze)
  AISPM_UNARY(ListFreezes, ListFreezesRequest, FreezeList)
  AISPM_UNARY(LiftFreeze, LiftFreezeRequest, Freeze)
  AISPM_UNARY(ValidatePolicy, ValidatePolicyRequest, PolicyValidation)
  AISPM_UNARY(SimulatePolicy, SimulatePolicyRequest, Simulation)
  AISPM_UNARY(ExplainDecision, ExplainDecisionRequest, Explanation)
  AISPM_UNARY(ProposePolicy, ProposePolicyRequest, PolicyProposal)
  AISPM_UNARY(ListRegisteredTools, ListRegisteredToolsRequest, RegisteredToolList)
  AISPM_UNARY(GetRegisteredTool, GetRegisteredToolRequest, RegisteredTool)
  AISPM_UNARY(RegisterTool, RegisterToolRequest, RegisteredTool)
  AISPM_UNARY(ReviewTool, ReviewToolRequest, RegisteredTool)
  AISPM_UNARY(ListRegisteredAgents, ListRegisteredAgentsRequest, RegisteredAgentList)
  AISPM_UNARY(GetRegisteredAgent, GetRegisteredAgentRequest, RegisteredAgent)
  AISPM_UNARY(RegisterAgent, RegisterAgentRequest, RegisteredAgent)
  AISPM_UNARY(ReviewAgent, ReviewAgentRequest, RegisteredAgent)
  AISPM_UNARY(ListApprovals, ListApprovalsRequest, ApprovalList)
  AISPM_UNARY(GetApproval, GetApprovalRequest, Approval)
  AISPM_UNARY(DecideApproval, DecideApprovalRequest, Approval)
  AISPM_UNARY(CreateApprovalLink, CreateApprovalLinkRequest, ApprovalLink)
  // clang-format on
  grpc::ServerWriteReactor<pb::Event>* StreamEvents(
      Context* context, const pb::StreamEventsRequest* request) override {
    return new EventStream(handlers_, workers_, authorization_of(*context), *request);
  }

 private:
  Unary* run(std::string_view method, Context* context, const google::protobuf::Message* request,
             google::protobuf::Message* reply) {
    Unary* const reactor = context->DefaultReactor();
    const Route* const route = handlers_.route(method);
    const bool is_freeze = method == "CreateFreeze" || method == "LiftFreeze";
    auto posted = (is_freeze ? urgent_ : workers_)
                      .post([this, reactor, route, request, reply,
                             authorization = authorization_of(*context)](Desk& desk) {
                        auto answered = answer(desk, *route, authorization, *request);
                        if (!answered) return reactor->Finish(to_grpc(answered.error()));
                        reply->GetReflection()->Swap(reply, answered->get());
                        reactor->Finish(grpc::Status::OK);
                      });
    if (!posted) reactor->Finish(to_grpc(posted.error()));
    return reactor;
  }

  Result<std::unique_ptr<google::protobuf::Message>> answer(
      Desk& desk, const Route& route, const std::string& authorization,
      const google::protobuf::Message& request) const {
    AISPM_CHECK(handlers_.authorise(desk, authorization, route));
    return handlers_.call(desk, route, request);
  }

  const Operator& handlers_;
  Workers& workers_;
  Workers& urgent_;
};

#undef AISPM_UNARY

}  // namespace

std::unique_ptr<grpc::Service> make_operator_service(const Operator& handlers, Workers& workers,
                                                     Workers& urgent) {
  return std::make_unique<OperatorService>(handlers, workers, urgent);
}

}  // namespace aispm::collector::api
