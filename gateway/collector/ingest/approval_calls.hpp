// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <grpcpp/grpcpp.h>

#include "aispm/v1/ingest.pb.h"
#include "gateway/collector/ingest/accept.hpp"
#include "sdk/core/common/pki.hpp"

// Calls by which gateways ask people. Only for gateways.
namespace aispm::collector {

grpc::ServerWriteReactor<aispm::v1::ApprovalSnapshot>* make_approval_watch(
    const IngestSurroundings& surroundings, const Result<pki::Identity>& identity);
void answer_approval_request(const IngestSurroundings& surroundings,
                             const Result<pki::Identity>& identity,
                             const aispm::v1::RequestApprovalRequest& request,
                             aispm::v1::Approval* reply, grpc::ServerUnaryReactor* reactor);
void answer_approval_use(const IngestSurroundings& surroundings,
                         const Result<pki::Identity>& identity,
                         const aispm::v1::UseApprovalRequest& request, aispm::v1::Approval* reply,
                         grpc::ServerUnaryReactor* reactor);

}  // namespace aispm::collector
