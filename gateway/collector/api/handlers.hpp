// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <google/protobuf/message.h>

#include <functional>
#include <map>
#include <memory>
#include <string>
#include <utility>

#include "gateway/collector/workers.hpp"
#include "sdk/core/common/result.hpp"

namespace aispm::collector::api {

using Handler = std::function<Result<std::unique_ptr<google::protobuf::Message>>(
    Desk&, const google::protobuf::Message&)>;
// By the name of the method in api.proto.
using Handlers = std::map<std::string, Handler, std::less<>>;

// `handle(desk, request)` answers calls of the method.
template <typename Request, typename Reply>
void add_handler(Handlers& handlers, const std::string& method,
                 std::function<Result<Reply>(Desk&, const Request&)> handle) {
  using google::protobuf::Message;
  handlers[method] = [handle = std::move(handle)](
                         Desk& desk, const Message& message) -> Result<std::unique_ptr<Message>> {
    const auto* const request = google::protobuf::DynamicCastToGenerated<Request>(&message);
    if (request == nullptr) return fail(Errc::kInternal, "request of another type");
    AISPM_TRY(Reply reply, handle(desk, *request));
    return std::unique_ptr<Message>(std::make_unique<Reply>(std::move(reply)));
  };
}

}  // namespace aispm::collector::api
