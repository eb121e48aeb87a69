// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <grpcpp/grpcpp.h>

#include "aispm/v1/ingest.pb.h"
#include "gateway/collector/ingest/accept.hpp"
#include "sdk/core/common/pki.hpp"

namespace aispm::collector {

// One WatchAgentKeys call: a snapshot at once and after every change; only for gateways. gRPC owns
// it.
grpc::ServerWriteReactor<aispm::v1::AgentKeySnapshot>* make_key_watch(
    const IngestSurroundings& surroundings, Result<pki::Identity> identity);

}  // namespace aispm::collector
