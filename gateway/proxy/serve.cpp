// SPDX-License-Identifier: Apache-2.0
#include "gateway/mcp/mcp_route.hpp"
#include "gateway/mcp/mcp_token.hpp"
#include "gateway/net/listen.hpp"
#include "gateway/net/proxy_header.hpp"
#include "gateway/proxy/agent_events.hpp"
#include "gateway/proxy/decide/decide_route.hpp"
#include "gateway/proxy/egress/egress.hpp"
#include "gateway/proxy/egress/egress_request.hpp"
#include "gateway/proxy/exchange.hpp"
#include "gateway/proxy/fleet/run_freezes.hpp"
#include "gateway/proxy/fleet/run_parents.hpp"
#include "gateway/proxy/fleet/run_rules.hpp"
#include "gateway/proxy/limits/limits_route.hpp"
#include "gateway/proxy/observe/head_rules.hpp"
#include "gateway/proxy/observe/observe_route.hpp"
#include "gateway/proxy/observe/scan_route.hpp"
#include "gateway/proxy/screening.hpp"
#include "gateway/proxy/version.hpp"
#include "sdk/core/codec/json_edit.hpp"
#include "sdk/core/common/log.hpp"

// A connection from its first byte to its last: who it is, then request by request to the route
// that serves it.
namespace aispm::gateway {

using codec::http1::Head;
using net::Task;
using net::asio::awaitable;

namespace {

constexpr std::chrono::seconds kGreetingLimit{5};

// Reads the PROXY header of a connection from the Unix socket. Nothing inside a sandbox can reach
// this socket, so what the relay says is true for the user that the kernel names.
Task<> greet(Client& client) {
  AISPM_CO_TRY(const net::PeerUser user, net::peer_user(client.stream().native_handle()));
  client.stream().expire_after(kGreetingLimit);
  while (true) {
    AISPM_CO_TRY(auto parsed, net::parse_proxy_header(client.input().view()));
    if (parsed) {
      client.input().consume(parsed->size_bytes);
      net::ProxyHeader& header = parsed->header;
      client.entrance = header.is_local ? Entrance::kRun : Entrance::kRelayed;
      if (header.agent.empty() && !header.is_local)
        co_return fail(Errc::kInvalid, "PROXY header: names no agent");
      client.caller.agent_id = header.agent.empty() ? user.name : user.name + "/" + header.agent;
      client.caller.session_id = std::move(header.session_id);
      client.caller.trace_id = std::move(header.trace_id);
      client.named_parent = std::move(header.parent);
      for (net::ProxyHeader::Run& run : header.parents)
        client.caller.parents.push_back({user.name + "/" + run.agent, std::move(run.session_id)});
      if (!header.egress.empty()) {
        AISPM_CO_TRY(client.egress, parse_authority(header.egress, 0));
      }
      co_return Result<>{};
    }
    AISPM_CO_TRY(const bool more, co_await read_more(client.stream(), client.input(), 512));
    if (!more) co_return fail(Errc::kInvalid, "PROXY header: the connection ended");
  }
}

struct Answer {
  std::string body;  // of a 200
  std::optional<Refusal> refusal;
};

// Counts what a newer aispm-run or library said that we do not know. Gives what the answer says.
std::string note_unknown(Counters& counters, const UnknownFields& unknown, EventAuthor author) {
  if (unknown.fields == 0) return "";
  const bool is_run = author == EventAuthor::kRun;
  Counter& counter = is_run ? counters.unknown_run_fields : counters.unknown_agent_fields;
  if (counter.get() == 0)
    log::warn("events.unknown_field",
              {{"by", is_run ? "aispm-run" : "agent"}, {"first", unknown.first}});
  counter.add(unknown.fields);
  counters.unknown_events.add(unknown.events);
  return ",\"unknown_fields\":\"" + std::to_string(unknown.fields) + "\",\"unknown_events\":\"" +
         std::to_string(unknown.events) + "\"";
}

Answer take_events(Client& client, const Caller& caller, EventAuthor author,
                   std::string_view body) {
  Services& services = client.worker().services();
  const EventStamp stamp{.agent_id = caller.agent_id,
                         .session_id = caller.session_id,
                         .tenant = caller.tenant,
                         .host_id = services.host_id,
                         .trace_id = caller.trace_id};
  auto events = read_events(body, author, stamp);
  if (!events) return {.body = {}, .refusal = refusal_for(events.error())};
  if (services.recorder->is_failing())
    return {.body = {},
            .refusal =
                make_refusal(RefusalKind::kUnrecorded, "events cannot be recorded at the moment")};
  const std::size_t count = events->events.size();
  for (model::Event& event : events->events) client.worker().record(std::move(event));
  client.worker().counters().agent_events.add(count);
  return {.body = "{\"accepted\":" + std::to_string(count) +
                  note_unknown(client.worker().counters(), events->unknown, author) + "}",
          .refusal = {}};
}

// Events of agents and of aispm-run.
Task<bool> serve_events(Client& client, Head head, RouteKind kind) {
  const bool is_run = client.entrance == Entrance::kRun;
  std::optional<Caller> caller = is_run ? std::optional(client.caller) : authenticate(client, head);
  if (!caller) {
    client.worker().counters().unauthenticated.add();
    co_return co_await client.refuse_unread(
        make_refusal(RefusalKind::kUnauthenticated, kNoAgentKey));
  }
  if (kind == RouteKind::kRunEvents && !is_run)
    co_return co_await client.refuse_unread(
        make_refusal(RefusalKind::kNotFound, "only aispm-run reports here"));
  auto body = co_await client.read_body(head, kMaxEventsBodyBytes);
  if (!body) co_return co_await client.refuse_unread(refusal_for(body.error()));
  const EventAuthor author =
      kind == RouteKind::kRunEvents ? EventAuthor::kRun : EventAuthor::kAgent;
  const Answer answer = take_events(client, *caller, author, *body);
  client.finish_request();
  if (answer.refusal)
    AISPM_CO_CHECK(co_await client.refuse(Dialect::kOpenAi, *answer.refusal, head.keep_alive));
  else
    AISPM_CO_CHECK(co_await client.send(json_reply(answer.body, head.keep_alive)));
  co_return head.keep_alive;
}

// Answers that need nothing but the connection. `more`: further fields of the greeting.
Task<bool> serve_small(Client& client, Head head, RouteKind kind, std::string more = {}) {
  const bool keep = head.keep_alive && head.body == codec::http1::BodyKind::kNone;
  const bool with_body = head.method != "HEAD";
  std::string body = "{\"status\":\"ok\"}";
  if (kind == RouteKind::kMcpMetadata)
    body = describe_resource(*client.worker().services().config.mcp.authorization);
  if (kind == RouteKind::kHello) {
    const Services& services = client.worker().services();
    std::string permitted;
    for (const HostRule& rule : services.config.egress.allow_hosts)
      permitted += (permitted.empty() ? "" : " ") + to_text(rule);
    body = "{\"agent_id\":" + codec::json_string(client.caller.agent_id) +
           ",\"version\":" + codec::json_string(kVersion) +
           ",\"hosts\":" + codec::json_string(own_hosts(services)) +
           ",\"dialects\":" + codec::json_string(own_dialects(services)) +
           ",\"egress\":" + codec::json_string(permitted) + more + "}";
  }
  client.input().consume(head.size_bytes);
  AISPM_CO_CHECK(co_await client.send(json_reply(body, keep, with_body)));
  co_return keep;
}

Task<bool> serve_refusal(Client& client, Head head, Dialect dialect, Refusal refusal) {
  const bool keep = head.keep_alive && head.body == codec::http1::BodyKind::kNone;
  const bool with_body = head.method != "HEAD";
  client.input().consume(head.size_bytes);
  AISPM_CO_CHECK(co_await client.refuse(dialect, refusal, keep, with_body));
  if (!keep) (void)co_await client.linger();
  co_return keep;
}

Task<bool> serve_refusal(Client& client, Head head, Dialect dialect, RefusalKind kind,
                         std::string message) {
  if (kind == RefusalKind::kNotFound) client.worker().counters().not_found.add();
  co_return co_await serve_refusal(client, head, dialect, make_refusal(kind, message));
}

// Whatever is no call of a model. `refusal`: why it is not served at all.
Task<bool> serve_beside(Client& client, Head head, Route route, std::optional<Refusal> refusal) {
  if (refusal) co_return co_await serve_refusal(client, head, route.dialect, std::move(*refusal));
  if (is_preflight(client, head)) co_return co_await serve_preflight(client, head);
  const bool is_run = client.entrance == Entrance::kRun;
  switch (route.kind) {
    case RouteKind::kLlm:
      break;
    case RouteKind::kModels:
      if (is_run) break;
      co_return co_await list_models(client, head, route);
    case RouteKind::kAgentEvents:
    case RouteKind::kRunEvents:
      co_return co_await serve_events(client, head, route.kind);
    case RouteKind::kScreen:
    case RouteKind::kScreenBatch:
    case RouteKind::kScreenCategories:
      if (is_run) break;
      co_return co_await serve_screening(client, head, route.kind);
    case RouteKind::kScanInput:
    case RouteKind::kScanOutput:
    case RouteKind::kScans:
    case RouteKind::kThreats:
      if (is_run) break;
      co_return co_await serve_scan(client, head, route);
    case RouteKind::kLive:
    case RouteKind::kReady:
    case RouteKind::kApiDocument:
    case RouteKind::kApiPage:
      co_return co_await serve_observation(client, head, route.kind);
    case RouteKind::kRunFreeze:
      if (!is_run) break;
      co_return co_await serve_run_freezes(client, head);
    case RouteKind::kDecide:
      if (is_run) break;
      co_return co_await serve_decide(client, head);
    case RouteKind::kLimits:
      if (is_run) break;
      co_return co_await serve_limits(client, head);
    case RouteKind::kMcp:
      if (is_run || client.worker().services().config.mcp.servers.empty()) break;
      co_return co_await serve_mcp(client, head);
    case RouteKind::kMcpMetadata:
      if (is_run || !client.worker().services().config.mcp.authorization) break;
      co_return co_await serve_small(client, head, route.kind);
    case RouteKind::kHello:
      if (!is_run) break;
      if (auto unbound = bind_to_parent(client))
        co_return co_await serve_refusal(client, head, route.dialect, std::move(*unbound));
      if (auto frozen = find_freeze(client.worker().services(), client.caller))
        co_return co_await serve_refusal(client, head, route.dialect, std::move(*frozen));
      if (RunRules rules = find_run_rules(client, head); rules.objection)
        co_return co_await serve_refusal(client, head, route.dialect, std::move(*rules.objection));
      else
        co_return co_await serve_small(client, head, route.kind,
                                       std::move(rules.fields) + parents_field(client.caller));
    case RouteKind::kHealth:
      if (!client.worker().services().rules.current())
        co_return co_await serve_refusal(client, head, route.dialect, RefusalKind::kNotReady,
                                         "the detection rules are being loaded");
      [[fallthrough]];
    case RouteKind::kRoot:
      co_return co_await serve_small(client, head, route.kind);
    case RouteKind::kBadMethod:
      co_return co_await serve_refusal(client, head, route.dialect, RefusalKind::kMethod,
                                       "this path has another method");
    case RouteKind::kBadQuery:
      co_return co_await serve_refusal(client, head, route.dialect, RefusalKind::kBadRequest,
                                       std::string(query_objection(route.query)));
    case RouteKind::kNotFound:
      break;
  }
  co_return co_await serve_refusal(client, head, route.dialect, RefusalKind::kNotFound,
                                   std::string(path_objection(route.path)));
}

Task<bool> serve_proxied(Client& client, Head head) {
  if (client.egress) co_return co_await serve_egress(client, head);
  co_return co_await refuse_proxy_request(client, head);
}

// One request to its end. True when another may follow. `head` must outlive that. No coroutine
// itself: idle streams are many and wait in what it gives, where nothing stands that other routes
// need.
Task<bool> serve_request(Client& client, Head& head) {
  client.worker().counters().requests.add();
  if (client.entrance == Entrance::kRelayed) {
    const bool is_ours = !client.egress && (!is_proxy_request(head) ||
                                            strip_own_authority(client.worker().services(), head));
    if (!is_ours) return serve_proxied(client, head);
  }
  head.target = without_vendor(head.target);
  Route route = find_route(head.method, head.target, head.find("anthropic-version").has_value());
  // Gemini's clients list models at OpenAI's path, too.
  if (route.kind == RouteKind::kModels && route.dialect == Dialect::kOpenAi &&
      head.find("x-goog-api-key"))
    route.dialect = Dialect::kGemini;
  std::optional<Refusal> refusal = take_own_headers(client, head);
  const bool is_exchange = route.kind == RouteKind::kLlm && client.entrance != Entrance::kRun &&
                           !refusal && !is_preflight(client, head);
  if (is_exchange) return run_exchange(client, head, route);
  return serve_beside(client, head, route, std::move(refusal));
}

// What is not HTTP, or too large, is told so once.
Task<> serve_nonsense(Client& client, const Error& error) {
  if (error.code != Errc::kInvalid && error.code != Errc::kTooLarge &&
      error.code != Errc::kDeadlineExceeded)
    co_return Result<>{};
  client.worker().counters().bad_requests.add();
  Refusal refusal = refusal_for(error);
  if (error.code == Errc::kTooLarge) refusal.kind = RefusalKind::kHeaders;
  AISPM_CO_CHECK(co_await client.refuse(Dialect::kOpenAi, refusal, false));
  co_return co_await client.linger();
}

Task<> serve_requests(Client& client) {
  while (!client.worker().stopping()) {
    auto head = co_await client.next_head();
    if (!head) co_return co_await serve_nonsense(client, head.error());
    if (!*head) break;
    AISPM_CO_TRY(const bool keep, co_await serve_request(client, **head));
    if (!keep) break;
  }
  co_return Result<>{};
}

// Counts a connection as open for as long as it lives.
class OpenConnection {
 public:
  explicit OpenConnection(Worker& worker) : worker_(worker) {
    worker_.counters().connections.add();
    worker_.counters().open_connections.add();
    worker_.services().open_connections.fetch_add(1, std::memory_order_relaxed);
  }
  ~OpenConnection() {
    worker_.counters().open_connections.subtract();
    worker_.services().open_connections.fetch_sub(1, std::memory_order_relaxed);
  }
  OpenConnection(const OpenConnection&) = delete;
  OpenConnection& operator=(const OpenConnection&) = delete;

 private:
  Worker& worker_;
};

}  // namespace

awaitable<void> serve_client(Worker& worker, net::Stream::Socket socket, bool is_local) {
  const OpenConnection open(worker);
  Client client(worker, std::make_unique<net::Stream>(worker.watchdog(), std::move(socket)));
  if (is_local) {
    if (auto greeted = co_await greet(client); !greeted) {
      worker.counters().bad_requests.add();
      log::debug("connection.no_identity", {{"reason", greeted.error().message}});
      co_return;
    }
  }
  // How a connection ends is the peer's affair; what matters was counted where it happened.
  (void)co_await serve_requests(client);
}

}  // namespace aispm::gateway
