// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <grpcpp/support/status.h>

#include <string>

#include "sdk/core/common/result.hpp"

namespace aispm::report {

// A call's failure as an Error: "<what>: <the peer's words>; <what to do>".
Error from_grpc(const grpc::Status& status, const std::string& what);

}  // namespace aispm::report
