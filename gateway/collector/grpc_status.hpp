// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <grpcpp/grpcpp.h>

#include <string>

#include "sdk/core/common/result.hpp"

namespace aispm::collector {

inline grpc::Status to_grpc(const Error& error) {
  switch (error.code) {
    case Errc::kInvalid:
      return {grpc::StatusCode::INVALID_ARGUMENT, error.message};
    case Errc::kNotFound:
      return {grpc::StatusCode::NOT_FOUND, error.message};
    case Errc::kExists:
      return {grpc::StatusCode::ALREADY_EXISTS, error.message};
    case Errc::kDenied:
      return {grpc::StatusCode::PERMISSION_DENIED, error.message};
    case Errc::kUnauthenticated:
      return {grpc::StatusCode::UNAUTHENTICATED, error.message};
    case Errc::kUnavailable:
      return {grpc::StatusCode::UNAVAILABLE, error.message};
    case Errc::kDeadlineExceeded:
      return {grpc::StatusCode::DEADLINE_EXCEEDED, error.message};
    case Errc::kTooLarge:
    case Errc::kExhausted:
      return {grpc::StatusCode::RESOURCE_EXHAUSTED, error.message};
    case Errc::kUnsupported:
      return {grpc::StatusCode::UNIMPLEMENTED, error.message};
    case Errc::kInternal:
      return {grpc::StatusCode::INTERNAL, error.message};
  }
  return {grpc::StatusCode::INTERNAL, error.message};
}

}  // namespace aispm::collector
