// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <grpcpp/grpcpp.h>

#include <memory>

#include "gateway/collector/api/operator.hpp"
#include "gateway/collector/workers.hpp"

namespace aispm::collector::api {

// Service Operator over gRPC: the token comes as `authorization` metadata, the work is done by
// workers, freezes by `urgent`. All references outlive the server.
std::unique_ptr<grpc::Service> make_operator_service(const Operator& handlers, Workers& workers,
                                                     Workers& urgent);

}  // namespace aispm::collector::api
