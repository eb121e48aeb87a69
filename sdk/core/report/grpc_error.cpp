// SPDX-License-Identifier: Apache-2.0
#include "sdk/core/report/grpc_error.hpp"

#include "sdk/core/common/utf8.hpp"

namespace aispm::report {
namespace {

struct Meaning {
  Errc code;
  const char* advice;
};

Meaning meaning_of(grpc::StatusCode code) {
  switch (code) {
    case grpc::StatusCode::UNAVAILABLE:
      return {Errc::kUnavailable, "is the collector running and reachable there?"};
    case grpc::StatusCode::DEADLINE_EXCEEDED:
      return {Errc::kDeadlineExceeded, "the collector is slow or unreachable"};
    case grpc::StatusCode::UNAUTHENTICATED:
      return {Errc::kUnauthenticated, "enrol again with a token of `aispm enrol-token create`"};
    case grpc::StatusCode::PERMISSION_DENIED:
      return {Errc::kDenied, "ask an administrator of the collector"};
    case grpc::StatusCode::INVALID_ARGUMENT:
      return {Errc::kInvalid, ""};
    case grpc::StatusCode::NOT_FOUND:
      return {Errc::kNotFound, ""};
    case grpc::StatusCode::ALREADY_EXISTS:
      return {Errc::kExists, ""};
    case grpc::StatusCode::RESOURCE_EXHAUSTED:
      return {Errc::kExhausted, ""};
    case grpc::StatusCode::UNIMPLEMENTED:
      return {Errc::kUnsupported, "the collector is of another version"};
    default:
      return {Errc::kUnavailable, ""};
  }
}

}  // namespace

Error from_grpc(const grpc::Status& status, const std::string& what) {
  constexpr std::size_t kMaxPeerWords = 300;
  const Meaning meaning = meaning_of(status.error_code());
  std::string message = what + ": " + to_utf8(status.error_message().substr(0, kMaxPeerWords));
  if (meaning.advice[0] != '\0') message += std::string("; ") + meaning.advice;
  return {meaning.code, std::move(message), 0};
}

}  // namespace aispm::report
