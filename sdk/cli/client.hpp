// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <grpcpp/grpcpp.h>

#include <chrono>
#include <functional>
#include <memory>

#include "aispm/v1/api.grpc.pb.h"
#include "sdk/cli/settings.hpp"

namespace aispm::cli {

// The collector's Operator API over TLS with a bearer token. Calls block. Not thread-safe.
class Client {
 public:
  static constexpr std::chrono::seconds kCallLimit{20};

  static Result<Client> open(Settings settings);

  template <typename Request, typename Reply>
  using Method = grpc::Status (v1::Operator::Stub::*)(grpc::ClientContext*, const Request&, Reply*);

  // One call: `client.call(&v1::Operator::Stub::GetStatus, request)`.
  template <typename Request, typename Reply>
  Result<Reply> call(Method<Request, Reply> method, const Request& request) {
    grpc::ClientContext context;
    prepare(context);
    context.set_deadline(std::chrono::system_clock::now() + kCallLimit);
    Reply reply;
    const grpc::Status status = (stub_.get()->*method)(&context, request, &reply);
    if (!status.ok()) return fail(explain(status));
    return reply;
  }

  // All pages of a list, up to `limit` items (0 = all): `items` names the repeated field of the
  // reply.
  template <typename Request, typename Reply, typename Items>
  Result<Reply> list(Method<Request, Reply> method, Request request, Items items,
                     std::size_t limit) {
    constexpr std::size_t kPage = 500;
    Reply all;
    for (;;) {
      const auto have = static_cast<std::size_t>((all.*items)());
      const std::size_t left = limit == 0 ? kPage : limit - have;
      request.set_page_size(static_cast<std::uint32_t>(std::min(left, kPage)));
      AISPM_TRY(Reply page, call(method, request));
      const std::string next = page.next_page_token();
      page.clear_next_page_token();
      all.MergeFrom(page);
      const auto total = static_cast<std::size_t>((all.*items)());
      if (next.empty() || next == request.page_token() || (limit != 0 && total >= limit))
        return all;
      request.set_page_token(next);
    }
  }

  // Until the stream ends (which is an error here) or `take` returns false.
  Result<> follow(const v1::StreamEventsRequest& request,
                  const std::function<bool(const v1::Event&)>& take);

 private:
  Client(Settings settings, std::unique_ptr<v1::Operator::Stub> stub)
      : settings_(std::move(settings)), stub_(std::move(stub)) {}
  void prepare(grpc::ClientContext& context) const;
  Error explain(const grpc::Status& status) const;

  Settings settings_;
  std::unique_ptr<v1::Operator::Stub> stub_;
};

}  // namespace aispm::cli
