// SPDX-License-Identifier: Apache-2.0
#include "gateway/collector/api/grpc_operator.hpp"

#include "aispm/v1/api.grpc.pb.h"
#include "gateway/collector/grpc_status.hpp"

namespace aispm::collector::api {
namespace {

std::string authorization_of(const grpc::CallbackServerContext& context) {
  const auto found = context.client_metadata().find("authorization");
  if (found == context.client_metadata().end()) return {};
  return {found->second.data(), found->second.size()};
}

// One StreamEvents call. Deletes itself in OnDone; others reach it through Link only.
class EventStream : public grpc::ServerWriteReactor<pb::Event> {
 public:
  EventStream(const Operator& handlers, Workers& workers, std::string authorization,
              pb::StreamEventsRequest request)
      : link_(std::make_shared<Link>()) {
    link_->stream = this;
    auto posted = workers.post([&handlers, link = link_, authorization = std::move(authorization),
                                request = std::move(request)](Desk& desk) {
      auto subscription = open(handlers, desk, authorization, request, link);
      const std::lock_guard lock(link->mutex);
      if (link->stream == nullptr) return;
      if (!subscription) return link->stream->finish(to_grpc(subscription.error()));
      link->stream->subscription_ = std::move(*subscription);
      // The client learns that the subscription stands: what is stored from now on will come.
      if (!link->stream->is_finished_) link->stream->StartSendInitialMetadata();
      link->stream->write_next();
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
    {
      const std::lock_guard lock(link_->mutex);
      link_->stream = nullptr;
    }
    delete this;
  }

 private:
  struct Link {
    std::mutex mutex;
    EventStream* stream = nullptr;
  };

  static Result<std::shared_ptr<Subscription>> open(const Operator& handlers, Desk& desk,
                                                    const std::string& authorization,
                                                    const pb::StreamEventsRequest& request,
                                                    const std::shared_ptr<Link>& link) {
    AISPM_CHECK(handlers.authorise(desk, authorization, *handlers.route("StreamEvents")));
    return handlers.subscribe(request, [weak = std::weak_ptr(link)] {
      const auto held = weak.lock();
      if (!held) return;
      const std::lock_guard lock(held->mutex);
      if (held->stream != nullptr) held->stream->write_next();
    });
  }

  // All below: the link's mutex is held.
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

class OperatorService final : public pb::Operator::CallbackService {
 public:
  OperatorService(const Operator& handlers, Workers& workers)
      : handlers_(handlers), workers_(workers) {}

  Unary* GetOverview(Context* c, const pb::GetOverviewRequest* q, pb::Overview* r) override {
    return run("GetOverview", c, q, r);
  }
  Unary* GetStatus(Context* c, const pb::GetStatusRequest* q, pb::Status* r) override {
    return run("GetStatus", c, q, r);
  }
  Unary* ListHosts(Context* c, const pb::ListRequest* q, pb::HostList* r) override {
    return run("ListHosts", c, q, r);
  }
  Unary* ListProcesses(Context* c, const pb::ListRequest* q, pb::ProcessList* r) override {
    return run("ListProcesses", c, q, r);
  }
  Unary* ListAgents(Context* c, const pb::ListRequest* q, pb::AgentList* r) override {
    return run("ListAgents", c, q, r);
  }
  Unary* ListProviders(Context* c, const pb::ListRequest* q, pb::ProviderList* r) override {
    return run("ListProviders", c, q, r);
  }
  Unary* ListModels(Context* c, const pb::ListRequest* q, pb::ModelList* r) override {
    return run("ListModels", c, q, r);
  }
  Unary* ListEvents(Context* c, const pb::ListEventsRequest* q, pb::EventList* r) override {
    return run("ListEvents", c, q, r);
  }
  Unary* GetEvent(Context* c, const pb::GetEventRequest* q, pb::Event* r) override {
    return run("GetEvent", c, q, r);
  }
  Unary* ListDetections(Context* c, const pb::ListEventsRequest* q, pb::EventList* r) override {
    return run("ListDetections", c, q, r);
  }
  Unary* ListDecisions(Context* c, const pb::ListEventsRequest* q, pb::EventList* r) override {
    return run("ListDecisions", c, q, r);
  }
  Unary* ListSessions(Context* c, const pb::ListRequest* q, pb::SessionList* r) override {
    return run("ListSessions", c, q, r);
  }
  Unary* GetSession(Context* c, const pb::GetSessionRequest* q, pb::SessionStory* r) override {
    return run("GetSession", c, q, r);
  }
  Unary* CreateAgentKey(Context* c, const pb::CreateAgentKeyRequest* q,
                        pb::CreatedAgentKey* r) override {
    return run("CreateAgentKey", c, q, r);
  }
  Unary* ListAgentKeys(Context* c, const pb::ListRequest* q, pb::AgentKeyList* r) override {
    return run("ListAgentKeys", c, q, r);
  }
  Unary* RevokeAgentKey(Context* c, const pb::RevokeAgentKeyRequest* q, pb::AgentKey* r) override {
    return run("RevokeAgentKey", c, q, r);
  }
  Unary* CreateEnrolmentToken(Context* c, const pb::CreateEnrolmentTokenRequest* q,
                              pb::CreatedEnrolmentToken* r) override {
    return run("CreateEnrolmentToken", c, q, r);
  }
  Unary* ListAssets(Context* c, const pb::ListAssetsRequest* q, pb::AssetList* r) override {
    return run("ListAssets", c, q, r);
  }
  Unary* GetAsset(Context* c, const pb::GetAssetRequest* q, pb::InventoryAsset* r) override {
    return run("GetAsset", c, q, r);
  }
  Unary* SetAssetState(Context* c, const pb::SetAssetStateRequest* q,
                       pb::InventoryAsset* r) override {
    return run("SetAssetState", c, q, r);
  }
  Unary* ListMcpServers(Context* c, const pb::ListMcpServersRequest* q,
                        pb::McpServerList* r) override {
    return run("ListMcpServers", c, q, r);
  }
  Unary* GetMcpServer(Context* c, const pb::GetMcpServerRequest* q, pb::McpServer* r) override {
    return run("GetMcpServer", c, q, r);
  }
  Unary* GetTopology(Context* c, const pb::GetTopologyRequest* q, pb::Topology* r) override {
    return run("GetTopology", c, q, r);
  }
  Unary* ListCoverage(Context* c, const pb::ListCoverageRequest* q, pb::CoverageList* r) override {
    return run("ListCoverage", c, q, r);
  }
  Unary* ListNames(Context* c, const pb::ListRequest* q, pb::SeenNameList* r) override {
    return run("ListNames", c, q, r);
  }
  Unary* GetBaseline(Context* c, const pb::GetBaselineRequest* q, pb::BaselineReport* r) override {
    return run("GetBaseline", c, q, r);
  }
  Unary* ExportBaseline(Context* c, const pb::ExportBaselineRequest* q, pb::Baseline* r) override {
    return run("ExportBaseline", c, q, r);
  }
  Unary* ImportBaseline(Context* c, const pb::ImportBaselineRequest* q,
                        pb::StoredBaseline* r) override {
    return run("ImportBaseline", c, q, r);
  }
  Unary* ListBaselines(Context* c, const pb::ListRequest* q, pb::StoredBaselineList* r) override {
    return run("ListBaselines", c, q, r);
  }
  Unary* GetInventorySummary(Context* c, const pb::GetInventorySummaryRequest* q,
                             pb::InventorySummary* r) override {
    return run("GetInventorySummary", c, q, r);
  }
  Unary* CreateOrder(Context* c, const pb::CreateOrderRequest* q, pb::Order* r) override {
    return run("CreateOrder", c, q, r);
  }
  Unary* ListOrders(Context* c, const pb::ListOrdersRequest* q, pb::OrderList* r) override {
    return run("ListOrders", c, q, r);
  }
  Unary* DeleteOrder(Context* c, const pb::DeleteOrderRequest* q, pb::Order* r) override {
    return run("DeleteOrder", c, q, r);
  }
  grpc::ServerWriteReactor<pb::Event>* StreamEvents(
      Context* context, const pb::StreamEventsRequest* request) override {
    return new EventStream(handlers_, workers_, authorization_of(*context), *request);
  }

 private:
  Unary* run(std::string_view method, Context* context, const google::protobuf::Message* request,
             google::protobuf::Message* reply) {
    Unary* const reactor = context->DefaultReactor();
    const Route* const route = handlers_.route(method);
    auto posted = workers_.post([this, reactor, route, request, reply,
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
};

}  // namespace

std::unique_ptr<grpc::Service> make_operator_service(const Operator& handlers, Workers& workers) {
  return std::make_unique<OperatorService>(handlers, workers);
}

}  // namespace aispm::collector::api
