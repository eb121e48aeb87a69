// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <memory>
#include <string>
#include <string_view>

#include "gateway/collector/api/assets.hpp"
#include "gateway/collector/api/operator.hpp"
#include "gateway/collector/api/sse.hpp"
#include "gateway/collector/workers.hpp"
#include "gateway/net/http_server.hpp"

namespace aispm::collector::api {

// How large the body of a request may be, by its method and target: bundles are larger than
// anything else.
std::size_t body_limit(std::string_view method, std::string_view target);

// What the HTTP port serves: /api/... and /openapi.json (token needed), /healthz ("ok" or
// "degraded", no token), /approve/... (a link's page), and the dashboard's files. Thread-safe;
// references outlive it.
class HttpFront {
 public:
  // `urgent`: for freezes, which must not wait behind somebody's search.
  HttpFront(const Operator& handlers, Workers& workers, Workers& urgent, Approvals& approvals,
            Assets assets, std::string openapi);

  // For net::HttpServer: hands API calls to the workers and answers everything else at once.
  void handle(const net::HttpRequest& request, std::shared_ptr<net::HttpReply> reply);

 private:
  struct Call;
  void answer_call(Desk& desk, const Call& call);
  Result<net::HttpResponse> answer(Desk& desk, const Call& call);
  void serve_approval(const net::HttpRequest& request, std::string_view path,
                      std::shared_ptr<net::HttpReply> reply);
  net::HttpResponse serve_asset(const net::HttpRequest& request, std::string_view path) const;

  const Operator& handlers_;
  Workers& workers_;
  Workers& urgent_;
  Approvals& approvals_;
  const Assets assets_;
  const std::string openapi_;
  SsePump pump_;
};

}  // namespace aispm::collector::api
