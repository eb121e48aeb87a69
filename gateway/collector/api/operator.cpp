// SPDX-License-Identifier: Apache-2.0
#include "gateway/collector/api/operator.hpp"

#include <set>

#include "gateway/collector/api/operator_approvals.hpp"
#include "gateway/collector/api/operator_inventory.hpp"
#include "gateway/collector/api/operator_orders.hpp"
#include "gateway/collector/api/operator_policies.hpp"
#include "gateway/collector/api/operator_redteam.hpp"
#include "gateway/collector/api/operator_registry.hpp"
#include "gateway/collector/api/operator_simulate.hpp"
#include "sdk/core/common/log.hpp"

namespace aispm::collector::api {
namespace {

using google::protobuf::Message;

constexpr std::string_view kStream = "StreamEvents";
constexpr std::size_t kMaxTokenBytes = 512;

std::set<std::string> hosts_of(const std::set<Links::Name>& connected) {
  std::set<std::string> hosts;
  for (const auto& [host_id, component] : connected) hosts.insert(host_id);
  return hosts;
}

char lower(char c) { return static_cast<char>(c >= 'A' && c <= 'Z' ? c + 32 : c); }

}  // namespace

Operator::Operator(Surroundings surroundings)
    : surroundings_(std::move(surroundings)), started_(surroundings_.clock()) {}

template <typename Request, typename Reply>
void Operator::add(const std::string& method,
                   Result<Reply> (Operator::*handle)(Desk&, const Request&) const) {
  add_handler<Request, Reply>(handlers_, method,
                              [this, handle](Desk& desk, const Request& request) {
                                return (this->*handle)(desk, request);
                              });
}

void Operator::add_all() {
  add("GetOverview", &Operator::get_overview);
  add("GetStatus", &Operator::get_status);
  add("ListHosts", &Operator::list_hosts);
  add("ListProcesses", &Operator::list_processes);
  add("ListAgents", &Operator::list_agents);
  add("ListProviders", &Operator::list_providers);
  add("ListModels", &Operator::list_models);
  add("ListEvents", &Operator::list_events);
  add("GetEvent", &Operator::get_event);
  add("ListDetections", &Operator::list_detections);
  add("ListDecisions", &Operator::list_decisions);
  add("ListSessions", &Operator::list_sessions);
  add("GetSession", &Operator::get_session);
  add("CreateAgentKey", &Operator::create_agent_key);
  add("ListAgentKeys", &Operator::list_agent_keys);
  add("RevokeAgentKey", &Operator::revoke_agent_key);
  add("CreateEnrolmentToken", &Operator::create_enrolment_token);
  add_inventory(handlers_, surroundings_.clock, surroundings_.stale_days);
  add_orders(handlers_, surroundings_.clock, surroundings_.order_changes);
  add_policies(handlers_, surroundings_.clock, surroundings_.links, surroundings_.order_changes,
               surroundings_.control);
  add_freezes(handlers_, surroundings_.clock, surroundings_.order_changes, surroundings_.control);
  if (surroundings_.redteam != nullptr)
    add_redteam(handlers_, surroundings_.clock, *surroundings_.redteam);
  add_simulation(handlers_, surroundings_.clock);
  add_registry(handlers_, surroundings_.clock, surroundings_.control);
  add_approvals(handlers_, surroundings_.clock, surroundings_.approvals);
}

Result<std::unique_ptr<Operator>> Operator::make(Surroundings surroundings) {
  std::unique_ptr<Operator> made(new Operator(std::move(surroundings)));
  const auto* const service = pb::Overview::descriptor()->file()->FindServiceByName("Operator");
  AISPM_TRY(made->routes_, read_routes(*service));
  if (made->surroundings_.redteam != nullptr) {
    const auto* const redteam = pb::RedTeamRun::descriptor()->file()->FindServiceByName("RedTeam");
    AISPM_TRY(auto routes, read_routes(*redteam));
    std::move(routes.begin(), routes.end(), std::back_inserter(made->routes_));
  }
  made->add_all();
  for (const Route& route : made->routes_)
    if (route.method->name() != kStream && !made->handlers_.contains(route.method->name()))
      return fail(Errc::kInternal, route.method->full_name() + ": has no handler");
  return made;
}

const Route* Operator::route(std::string_view method) const {
  for (const Route& route : routes_)
    if (route.method->name() == method) return &route;
  return nullptr;
}

Result<Role> Operator::authenticate(Desk& desk, std::string_view authorization) const {
  constexpr std::string_view kScheme = "bearer ";
  bool is_bearer = authorization.size() > kScheme.size() && authorization.size() <= kMaxTokenBytes;
  for (std::size_t i = 0; is_bearer && i < kScheme.size(); ++i)
    is_bearer = lower(authorization[i]) == kScheme[i];
  if (!is_bearer)
    return fail(Errc::kUnauthenticated, "a token is needed: authorization: Bearer <token>");
  AISPM_TRY(desk.caller, desk.registry.caller_of(authorization.substr(kScheme.size())));
  return desk.caller.role;
}

Result<> Operator::authorise(Desk& desk, std::string_view authorization, const Route& route) const {
  AISPM_TRY(const Role role, authenticate(desk, authorization));
  if (role < route.role)
    return fail(Errc::kDenied, route.method->name() + " needs the role " +
                                   std::string(name_of(route.role)) + ", this token has " +
                                   std::string(name_of(role)));
  return {};
}

Result<std::unique_ptr<Message>> Operator::call(Desk& desk, const Route& route,
                                                const Message& request) const {
  const auto handler = handlers_.find(route.method->name());
  if (handler == handlers_.end())
    return fail(Errc::kUnsupported, route.method->name() + " is a stream");
  return handler->second(desk, request);
}

Result<std::shared_ptr<Subscription>> Operator::subscribe(const pb::StreamEventsRequest& request,
                                                          Subscription::Wake wake) const {
  FeedFilter filter{0, request.agent_id(), request.session_id()};
  if (!request.kind().empty()) {
    AISPM_TRY(filter.kind, store::parse_kind(request.kind()));
  }
  return surroundings_.feed.subscribe(std::move(filter), std::move(wake));
}

std::vector<std::string> Operator::problems() const {
  std::vector<std::string> reasons;
  if (const WriterState state = surroundings_.writer.state(); !state.problem.empty())
    reasons.push_back("nothing can be stored: " + state.problem +
                      ". Producers spool until this is mended.");
  return reasons;
}

Result<pb::Overview> Operator::get_overview(Desk& desk,
                                            const pb::GetOverviewRequest& request) const {
  const auto hosts = hosts_of(surroundings_.links.connected());
  return desk.reader.overview(request.hours(), {hosts.begin(), hosts.end()}, surroundings_.clock());
}

Result<pb::Status> Operator::get_status(Desk& desk, const pb::GetStatusRequest&) const {
  pb::Status status;
  AISPM_CHECK(desk.reader.status(&status));
  status.set_version(surroundings_.version);
  store::set_time(started_.nanoseconds, status.mutable_started());
  auto reasons = problems();
  if (const auto& told = surroundings_.approvals.problem; told && !told().empty())
    reasons.push_back("people are not told of approvals: " + told());
  status.set_state(reasons.empty() ? "ok" : "degraded");
  status.mutable_reasons()->Assign(reasons.begin(), reasons.end());
  status.mutable_store()->set_queue_length(surroundings_.writer.state().queue_events);
  const auto connected = surroundings_.links.connected();
  for (auto& component : *status.mutable_components())
    component.set_connected(connected.contains({component.host_id(), component.component()}));
  return status;
}

Result<pb::HostList> Operator::list_hosts(Desk& desk, const pb::ListRequest& request) const {
  AISPM_TRY(pb::HostList list, desk.reader.hosts(request));
  const auto connected = hosts_of(surroundings_.links.connected());
  for (auto& host : *list.mutable_hosts()) host.set_connected(connected.contains(host.host_id()));
  return list;
}

Result<pb::ProcessList> Operator::list_processes(Desk& desk, const pb::ListRequest& request) const {
  return desk.reader.processes(request);
}
Result<pb::AgentList> Operator::list_agents(Desk& desk, const pb::ListRequest& request) const {
  return desk.reader.agents(request);
}
Result<pb::ProviderList> Operator::list_providers(Desk& desk,
                                                  const pb::ListRequest& request) const {
  return desk.reader.providers(request);
}
Result<pb::ModelList> Operator::list_models(Desk& desk, const pb::ListRequest& request) const {
  return desk.reader.models(request);
}
Result<pb::EventList> Operator::list_events(Desk& desk,
                                            const pb::ListEventsRequest& request) const {
  return desk.reader.events(request, store::Reader::Only::kAll);
}
Result<pb::Event> Operator::get_event(Desk& desk, const pb::GetEventRequest& request) const {
  return desk.reader.event(request.event_id());
}
Result<pb::EventList> Operator::list_detections(Desk& desk,
                                                const pb::ListEventsRequest& request) const {
  return desk.reader.events(request, store::Reader::Only::kDetected);
}
Result<pb::EventList> Operator::list_decisions(Desk& desk,
                                               const pb::ListEventsRequest& request) const {
  return desk.reader.events(request, store::Reader::Only::kDecided);
}
Result<pb::SessionList> Operator::list_sessions(Desk& desk, const pb::ListRequest& request) const {
  return desk.reader.sessions(request);
}
Result<pb::SessionStory> Operator::get_session(Desk& desk,
                                               const pb::GetSessionRequest& request) const {
  return desk.reader.session(request.session_id());
}

Result<pb::CreatedAgentKey> Operator::create_agent_key(
    Desk& desk, const pb::CreateAgentKeyRequest& request) const {
  AISPM_TRY(pb::CreatedAgentKey created,
            desk.registry.create_agent_key(request, surroundings_.clock()));
  log::info("agent_key.created",
            {{"key_id", created.info().key_id()}, {"agent", created.info().agent_id()}});
  surroundings_.key_changes.announce();
  return created;
}

Result<pb::AgentKeyList> Operator::list_agent_keys(Desk& desk,
                                                   const pb::ListRequest& request) const {
  return desk.reader.agent_keys(request);
}

Result<pb::AgentKey> Operator::revoke_agent_key(Desk& desk,
                                                const pb::RevokeAgentKeyRequest& request) const {
  AISPM_TRY(pb::AgentKey revoked,
            desk.registry.revoke_agent_key(request.key_id(), surroundings_.clock()));
  log::info("agent_key.revoked", {{"key_id", revoked.key_id()}, {"agent", revoked.agent_id()}});
  surroundings_.key_changes.announce();
  return revoked;
}

Result<pb::CreatedEnrolmentToken> Operator::create_enrolment_token(
    Desk& desk, const pb::CreateEnrolmentTokenRequest& request) const {
  return desk.registry.create_enrolment_token(request.valid_seconds(), surroundings_.ca_fingerprint,
                                              surroundings_.clock());
}

}  // namespace aispm::collector::api
