// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <google/protobuf/message.h>

#include <memory>
#include <string>
#include <string_view>

#include "gateway/collector/api/routes.hpp"
#include "sdk/core/common/result.hpp"

// Between REST and protobuf messages, by descriptors alone. Pure and thread-safe.
//
// Replies are proto3 JSON with the field names of the .proto files (snake_case), scalar fields
// always present, absent messages left out; 64-bit integers are strings and times RFC 3339, as
// proto3 JSON says. Requests may use snake_case or lowerCamelCase.
namespace aispm::collector::api {

// The request message of a match: fields of the path, then of the query (a scalar, an enum by name,
// an RFC 3339 time; repeated fields may stand several times), or for POST the JSON body. Unknown or
// doubled names are errors. kInvalid names the field.
Result<std::unique_ptr<google::protobuf::Message>> read_request(const Match& match,
                                                                std::string_view query,
                                                                std::string_view body);

Result<std::string> to_json(const google::protobuf::Message& message);

struct ErrorReply {
  int status = 500;
  std::string body;  // {"error":{"code":"not_found","message":"..."}}
};
ErrorReply to_rest(const Error& error);

}  // namespace aispm::collector::api
