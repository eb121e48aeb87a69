// SPDX-License-Identifier: Apache-2.0
#include "gateway/proxy/observe/operator_desk.hpp"

#include <signal.h>
#include <unistd.h>

#include <boost/json/array.hpp>
#include <boost/json/object.hpp>
#include <boost/json/serialize.hpp>

#include "gateway/proxy/health.hpp"
#include "gateway/proxy/observe/api_document.hpp"
#include "gateway/proxy/observe/guardrail_admin.hpp"
#include "gateway/proxy/observe/inventory.hpp"
#include "gateway/proxy/observe/metrics_text.hpp"
#include "gateway/proxy/observe/readiness.hpp"
#include "sdk/core/codec/llm_api.hpp"
#include "sdk/core/model/gateway_actions.hpp"

namespace aispm::gateway {
namespace {

namespace json = boost::json;

constexpr std::string_view kRulePath = "/aispm/v1/admin/rules";

template <typename Map>
json::object to_json(const Map& map) {
  json::object out;
  for (const auto& [name, value] : map) out[name] = value;
  return out;
}

std::string health_json(const model::ComponentHealth& health) {
  json::object out;
  out["component"] = health.component;
  out["version"] = health.version;
  out["state"] = health.state;
  out["reasons"] = json::array(health.reasons.begin(), health.reasons.end());
  out["features"] = to_json(health.features);
  out["counters"] = to_json(health.counters);
  out["losses"] = to_json(health.losses);
  return json::serialize(out);
}

AdminReply shown(std::string body, std::string_view type = "application/json") {
  AdminReply reply;
  reply.body = std::move(body);
  reply.type = type;
  return reply;
}

AdminReply list(const Services& services, std::string_view path, std::string_view query) {
  const auto filter = read_scan_filter(query, true);
  if (!filter) return refuse_admin(filter.error());
  const ScanHistory& scans = services.observatory->scans;
  return shown(path == "/api/v1/threats" ? scans.list_threats(*filter) : scans.list_scans(*filter));
}

constexpr std::string_view kSessionPath = "/sessions/";

AdminReply show_sessions(const Services& services, std::string_view path, std::string_view query) {
  const SessionLog& sessions = services.observatory->sessions;
  const auto filter = read_session_filter(query);
  if (!filter) return refuse_admin(filter.error());
  if (!path.starts_with(kSessionPath)) return shown(sessions.list(*filter));
  path.remove_prefix(kSessionPath.size());
  const auto events = sessions.list_events(path.substr(0, path.find('/')), *filter);
  return events ? shown(*events) : refuse_admin(events.error());
}

// `{...}` in a route's path stands for one part.
bool fits(std::string_view route, std::string_view path) {
  const auto open = route.find('{');
  if (open == std::string_view::npos) return route == path;
  if (path.size() <= open || !path.starts_with(route.substr(0, open))) return false;
  const auto end = std::min(path.find('/', open), path.size());
  return end > open && path.substr(end) == route.substr(route.find('}') + 1);
}

}  // namespace

Observatory::Moment OperatorDesk::moment() const {
  Observatory::Moment moment;
  moment.at = std::chrono::steady_clock::now();
  for (const auto& worker : workers_) {
    moment.requests += worker->counters().requests.get();
    moment.totals.add(worker->figures());
  }
  return moment;
}

std::string OperatorDesk::prometheus() const {
  MetricsView view;
  view.health = std::get<model::ComponentHealth>(
      describe_health(services_, workers_, services_.observatory->reload_error()).body);
  view.totals = moment().totals;
  for (std::size_t i = 0; i < codec::kApiCount; ++i) {
    LatencyTotals of_api;
    for (const auto& worker : workers_) worker->figures().exchanges[i].read_into(of_api);
    if (of_api.count > 0)
      view.by_api.emplace_back(codec::name_of(static_cast<codec::Api>(i)), of_api);
  }
  for (const auto& provider : services_.providers.current()->all()) {
    LatencyTotals of_provider;
    provider->first_bytes().read_into(of_provider);
    if (of_provider.count > 0) view.by_provider.emplace_back(provider->config().name, of_provider);
  }
  view.figures = services_.observatory->figures();
  view.figures.push_back({.name = "operator_refused_total",
                          .help = "Requests at an operator's door without its token or user.",
                          .is_total = true,
                          .value = static_cast<double>(refused_.load(std::memory_order_relaxed))});
  view.figures.push_back(
      {.name = "operator_crowded_out_total",
       .help = "Silent connections at an operator's door that were closed for others.",
       .is_total = true,
       .value = static_cast<double>(crowded_out_.load(std::memory_order_relaxed))});
  return prometheus_text(view);
}

AdminReply OperatorDesk::ask_for_reload(const AdminRequest& request) const {
  // The main thread reloads, as it does when an operator sends the signal.
  if (::kill(::getpid(), SIGHUP) != 0)
    return refuse_admin(503, fail_errno("the reload could not be asked for").value().message);
  AdminReply reply;
  reply.status = 202;
  reply.body = R"({"reload":"asked for; GET /health tells how it went"})";
  model::OperatorAction done;
  done.who = request.who;
  done.action = model::kGatewayReload.name;
  done.target = services_.host_id;
  reply.done = std::move(done);
  return reply;
}

AdminReply OperatorDesk::show(std::string_view path, std::string_view query) {
  if (path == "/live") return shown(R"({"live":true})");
  if (path == "/ready") {
    const Readiness readiness = find_readiness(services_);
    AdminReply reply = shown(readiness.to_json(true));
    reply.status = readiness.is_ready ? 200 : 503;
    return reply;
  }
  if (path == "/health")
    return shown(health_json(std::get<model::ComponentHealth>(
        describe_health(services_, workers_, services_.observatory->reload_error()).body)));
  if (path == "/metrics") return shown(prometheus(), kPrometheusType);
  if (path.starts_with("/sessions")) return show_sessions(services_, path, query);
  if (path == "/inventory") return shown(describe_inventory(services_));
  if (path == "/openapi.json") return shown(openapi_document());
  if (path == "/docs") return shown(api_page(), kHtmlType);
  if (path == "/api/v1/metrics") {
    const Observatory::Moment now = moment();
    const auto before = services_.observatory->moment_before(now.at, Observatory::kWindow);
    return shown(security_metrics_json(now, before.get(), started_));
  }
  return list(services_, path, query);
}

AdminReply OperatorDesk::serve(const AdminRequest& request) {
  const auto mark = std::min(request.target.find('?'), request.target.size());
  const std::string_view path = request.target.substr(0, mark);
  std::unique_lock changes(changes_, std::defer_lock);
  if (request.method != "GET") changes.lock();
  if (path.starts_with(kRulePath)) return serve_admin(request, services_.rules);
  std::string allowed;
  bool is_taken = false;
  for (const OperatorRoute& route : operator_routes()) {
    if (!fits(route.path, path)) continue;
    allowed.append(allowed.empty() ? "" : ", ").append(route.method);
    is_taken = is_taken || route.method == request.method;
  }
  if (allowed.empty())
    return refuse_admin(404, "nothing is served at this path; /docs lists what is");
  if (!is_taken) return refuse_method(std::move(allowed));
  if (path.starts_with(kGuardrailPath)) return serve_guardrails(request, services_.rules);
  if (path == "/aispm/v1/admin/reload") return ask_for_reload(request);
  return show(path, request.target.substr(mark));
}

}  // namespace aispm::gateway
