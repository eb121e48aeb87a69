// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <functional>
#include <map>
#include <memory>
#include <string>
#include <string_view>
#include <vector>

#include "aispm/v1/api.pb.h"
#include "gateway/collector/api/handlers.hpp"
#include "gateway/collector/api/routes.hpp"
#include "gateway/collector/approvals.hpp"
#include "gateway/collector/control.hpp"
#include "gateway/collector/ingest/feed.hpp"
#include "gateway/collector/ingest/links.hpp"
#include "gateway/collector/ingest/writer.hpp"
#include "gateway/collector/redteam/runs.hpp"
#include "gateway/collector/workers.hpp"

namespace aispm::collector::api {

// What handlers need beside their worker's desk. References outlive the Operator.
struct Surroundings {
  Writer& writer;
  Feed& feed;
  Links& links;
  KeyChanges& key_changes;
  OrderChanges& order_changes;
  Approvals& approvals;
  WallClock clock;
  std::string ca_fingerprint;
  std::string version;
  std::uint32_t stale_days = store::InventoryReader::kStaleDays;
  Control& control;
  redteam::Runs* redteam = nullptr;  // null: service RedTeam is not served
};

// Service Operator of api.proto, once: gRPC and REST both end here. Each call names the method by
// its descriptor, so that no route exists without the role that options.proto demands. Runs on
// workers; thread-safe.
class Operator {
 public:
  // kInternal when a method of the service has no route, no role or no handler.
  static Result<std::unique_ptr<Operator>> make(Surroundings surroundings);

  // The role of the bearer, who becomes the desk's caller. kUnauthenticated without a valid token.
  // `authorization` is the header's value.
  Result<Role> authenticate(Desk& desk, std::string_view authorization) const;
  // authenticate + the role that the route demands (kDenied).
  Result<> authorise(Desk& desk, std::string_view authorization, const Route& route) const;

  // A unary call that was authorised.
  Result<std::unique_ptr<google::protobuf::Message>> call(
      Desk& desk, const Route& route, const google::protobuf::Message& request) const;
  // StreamEvents, authorised.
  Result<std::shared_ptr<Subscription>> subscribe(const pb::StreamEventsRequest& request,
                                                  Subscription::Wake wake) const;

  const std::vector<Route>& routes() const { return routes_; }
  // The route of a method by its name, e.g. "ListHosts". nullptr for unknown ones.
  const Route* route(std::string_view method) const;
  // Reasons why the collector itself is degraded; empty when all is well.
  std::vector<std::string> problems() const;

 private:
  explicit Operator(Surroundings surroundings);
  template <typename Request, typename Reply>
  void add(const std::string& method,
           Result<Reply> (Operator::*handle)(Desk&, const Request&) const);
  void add_all();

  Result<pb::Overview> get_overview(Desk& desk, const pb::GetOverviewRequest& request) const;
  Result<pb::Status> get_status(Desk& desk, const pb::GetStatusRequest& request) const;
  Result<pb::HostList> list_hosts(Desk& desk, const pb::ListRequest& request) const;
  Result<pb::ProcessList> list_processes(Desk& desk, const pb::ListRequest& request) const;
  Result<pb::AgentList> list_agents(Desk& desk, const pb::ListRequest& request) const;
  Result<pb::ProviderList> list_providers(Desk& desk, const pb::ListRequest& request) const;
  Result<pb::ModelList> list_models(Desk& desk, const pb::ListRequest& request) const;
  Result<pb::EventList> list_events(Desk& desk, const pb::ListEventsRequest& request) const;
  Result<pb::Event> get_event(Desk& desk, const pb::GetEventRequest& request) const;
  Result<pb::EventList> list_detections(Desk& desk, const pb::ListEventsRequest& request) const;
  Result<pb::EventList> list_decisions(Desk& desk, const pb::ListEventsRequest& request) const;
  Result<pb::SessionList> list_sessions(Desk& desk, const pb::ListRequest& request) const;
  Result<pb::SessionStory> get_session(Desk& desk, const pb::GetSessionRequest& request) const;
  Result<pb::CreatedAgentKey> create_agent_key(Desk& desk,
                                               const pb::CreateAgentKeyRequest& request) const;
  Result<pb::AgentKeyList> list_agent_keys(Desk& desk, const pb::ListRequest& request) const;
  Result<pb::AgentKey> revoke_agent_key(Desk& desk, const pb::RevokeAgentKeyRequest& request) const;
  Result<pb::CreatedEnrolmentToken> create_enrolment_token(
      Desk& desk, const pb::CreateEnrolmentTokenRequest& request) const;

  const Surroundings surroundings_;
  const WallTime started_;
  std::vector<Route> routes_;
  Handlers handlers_;
};

}  // namespace aispm::collector::api
