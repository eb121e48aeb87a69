// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <grpcpp/grpcpp.h>

#include "aispm/v1/ingest.pb.h"
#include "gateway/collector/ingest/accept.hpp"
#include "sdk/core/common/pki.hpp"

namespace aispm::collector {

// One WatchAgentKeys call; only for gateways.
grpc::ServerWriteReactor<aispm::v1::AgentKeySnapshot>* make_key_watch(
    const IngestSurroundings& surroundings, const Result<pki::Identity>& identity);

// One WatchOrders call: the host's orders; only for sensors.
grpc::ServerWriteReactor<aispm::v1::OrderSnapshot>* make_order_watch(
    const IngestSurroundings& surroundings, const Result<pki::Identity>& identity);

// One AckOrders call: stores what the host says; only for sensors.
void answer_order_ack(const IngestSurroundings& surroundings, const Result<pki::Identity>& identity,
                      const aispm::v1::AckOrdersRequest& request,
                      grpc::ServerUnaryReactor* reactor);

// WatchPolicies and WatchFreezes calls, and what came of them; for gateways and sensors.
grpc::ServerWriteReactor<aispm::v1::PolicySnapshot>* make_policy_watch(
    const IngestSurroundings& surroundings, const Result<pki::Identity>& identity);
grpc::ServerWriteReactor<aispm::v1::FreezeSnapshot>* make_freeze_watch(
    const IngestSurroundings& surroundings, const Result<pki::Identity>& identity);
void answer_policy_ack(const IngestSurroundings& surroundings,
                       const Result<pki::Identity>& identity,
                       const aispm::v1::AckPoliciesRequest& request,
                       grpc::ServerUnaryReactor* reactor);
void answer_freeze_ack(const IngestSurroundings& surroundings,
                       const Result<pki::Identity>& identity,
                       const aispm::v1::AckFreezesRequest& request,
                       grpc::ServerUnaryReactor* reactor);

}  // namespace aispm::collector
