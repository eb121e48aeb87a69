// SPDX-License-Identifier: Apache-2.0
#include "gateway/collector/api/http_front.hpp"

#include "gateway/collector/api/approval_page.hpp"
#include "gateway/collector/api/transcode.hpp"
#include "gateway/collector/limits.hpp"

namespace aispm::collector::api {
namespace {

using net::HttpResponse;

constexpr std::string_view kOpenApi = "/openapi.json";

// Scripts only from this server, and no page may frame the dashboard. Styles may be inline: chart
// libraries set them.
constexpr const char* kContentPolicy =
    "default-src 'self'; script-src 'self'; style-src 'self' 'unsafe-inline'; img-src 'self' "
    "data:; connect-src 'self'; "
    "object-src 'none'; base-uri 'none'; form-action 'self'; frame-ancestors 'none'";

void add_security_headers(HttpResponse& response) {
  response.headers.emplace_back("x-content-type-options", "nosniff");
  response.headers.emplace_back("x-frame-options", "DENY");
  response.headers.emplace_back("referrer-policy", "no-referrer");
  response.headers.emplace_back("content-security-policy", kContentPolicy);
}

HttpResponse json_response(int status, std::string body) {
  HttpResponse response{status,
                        {{"content-type", "application/json"}, {"cache-control", "no-store"}},
                        std::move(body)};
  add_security_headers(response);
  return response;
}

HttpResponse error_response(const Error& error) {
  ErrorReply reply = to_rest(error);
  HttpResponse response = json_response(reply.status, std::move(reply.body));
  if (error.code == Errc::kUnauthenticated)
    response.headers.emplace_back("www-authenticate", "Bearer");
  return response;
}

}  // namespace

std::size_t body_limit(std::string_view method, std::string_view target) {
  const std::string_view path = target.substr(0, target.find('?'));
  const bool is_push = method == "POST" &&
                       ((path.starts_with("/api/v1/policies/") && path.ends_with("/versions")) ||
                        path == "/api/v1/policies:validate" || path == "/api/v1/policies:simulate");
  const bool is_corpus = method == "POST" && path.starts_with("/api/v1/redteam/corpora/");
  return is_push || is_corpus ? limits::kMaxPushBytes : limits::kMaxRequestBytes;
}

struct HttpFront::Call {
  std::string verb;
  std::string path;
  std::string query;
  std::string authorization;
  std::string body;
  std::shared_ptr<net::HttpReply> reply;
};

HttpFront::HttpFront(const Operator& handlers, Workers& workers, Workers& urgent,
                     Approvals& approvals, Assets assets, std::string openapi)
    : handlers_(handlers),
      workers_(workers),
      urgent_(urgent),
      approvals_(approvals),
      assets_(std::move(assets)),
      openapi_(std::move(openapi)) {}

void HttpFront::handle(const net::HttpRequest& request, std::shared_ptr<net::HttpReply> reply) {
  if (request.target.size() > limits::kMaxTargetBytes)
    return reply->send(error_response({Errc::kTooLarge, "the request target is too long", 0}));
  const std::string_view target = request.target;
  const auto question = target.find('?');
  const std::string_view path = target.substr(0, question);
  if (path == "/healthz") {
    const bool is_ok = handlers_.problems().empty();
    return reply->send(json_response(is_ok ? 200 : 503,
                                     is_ok ? R"({"status":"ok"})" : R"({"status":"degraded"})"));
  }
  if (path.starts_with(kApprovalPath)) return serve_approval(request, path, std::move(reply));
  const bool is_api = path == "/api" || path.starts_with("/api/");
  if (!is_api && path != kOpenApi) return reply->send(serve_asset(request, path));
  auto call = std::make_shared<Call>(
      Call{request.method, std::string(path),
           std::string(question == std::string_view::npos ? "" : target.substr(question + 1)),
           std::string(request.header("authorization")), request.body, reply});
  const bool is_freeze = call->verb == "POST" && path.starts_with("/api/v1/freezes");
  auto posted =
      (is_freeze ? urgent_ : workers_).post([this, call](Desk& desk) { answer_call(desk, *call); });
  if (!posted) reply->send(error_response(posted.error()));
}

void HttpFront::answer_call(Desk& desk, const Call& call) {
  auto response = answer(desk, call);
  if (!response) return call.reply->send(error_response(response.error()));
  if (response->status != 0) call.reply->send(std::move(*response));  // 0: a stream took the reply
}

Result<HttpResponse> HttpFront::answer(Desk& desk, const Call& call) {
  // Who asks comes first: without a token nobody learns which paths exist.
  AISPM_TRY(const Role role, handlers_.authenticate(desk, call.authorization));
  (void)role;
  if (call.path == kOpenApi) {
    if (call.verb != "GET") return fail(Errc::kUnsupported, "this path does not take " + call.verb);
    return json_response(200, openapi_);
  }
  AISPM_TRY(const Match found, match(handlers_.routes(), call.verb, call.path));
  AISPM_CHECK(handlers_.authorise(desk, call.authorization, *found.route));
  AISPM_TRY(const auto request, read_request(found, call.query, call.body));
  if (found.route->method->server_streaming()) {
    const auto* const wanted =
        google::protobuf::DynamicCastToGenerated<pb::StreamEventsRequest>(request.get());
    if (wanted == nullptr) return fail(Errc::kInternal, "a stream of another kind");
    AISPM_TRY(auto subscription, handlers_.subscribe(*wanted, [this] { pump_.wake(); }));
    pump_.add(std::move(subscription), call.reply);
    return HttpResponse{0, {}, {}};
  }
  AISPM_TRY(const auto message, handlers_.call(desk, *found.route, *request));
  AISPM_TRY(std::string json, to_json(*message));
  return json_response(200, std::move(json));
}

// The page behind a link. Needs no token: the link is one.
void HttpFront::serve_approval(const net::HttpRequest& request, std::string_view path,
                               std::shared_ptr<net::HttpReply> reply) {
  const bool answers = request.method == "POST";
  if (!answers && request.method != "GET")
    return reply->send(error_response({Errc::kUnsupported, "this path takes GET and POST", 0}));
  const std::string token(path.substr(kApprovalPath.size()));
  auto posted = workers_.post([this, answers, token, form = request.body, reply](Desk& desk) {
    Page page = answers ? answer_approval(desk, approvals_, token, form, wall_now())
                        : show_approval(desk, approvals_, token, wall_now());
    HttpResponse response{
        page.status,
        {{"content-type", "text/html; charset=utf-8"}, {"cache-control", "no-store"}},
        std::move(page.html)};
    add_security_headers(response);
    reply->send(std::move(response));
  });
  if (!posted) reply->send(error_response(posted.error()));
}

HttpResponse HttpFront::serve_asset(const net::HttpRequest& request, std::string_view path) const {
  if (request.method != "GET" && request.method != "HEAD")
    return error_response({Errc::kUnsupported, "this path takes GET only", 0});
  const Asset missing = assets_.empty() ? missing_dashboard() : Asset{};
  const auto decoded = decode_percent(path, false);
  const Asset* asset = decoded ? assets_.find(*decoded) : nullptr;
  if (assets_.empty() && path == "/") asset = &missing;
  if (asset == nullptr) return error_response({Errc::kNotFound, "no such file", 0});
  HttpResponse response{
      200, {{"content-type", asset->type}, {"cache-control", asset->cache}}, asset->content};
  add_security_headers(response);
  return response;
}

}  // namespace aispm::collector::api
