// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <grpcpp/grpcpp.h>

#include <memory>
#include <string>

#include "gateway/collector/approvals.hpp"
#include "gateway/collector/authority.hpp"
#include "gateway/collector/control.hpp"
#include "gateway/collector/ingest/links.hpp"
#include "gateway/collector/ingest/writer.hpp"
#include "gateway/collector/workers.hpp"

namespace aispm::collector {

// What the services of ingest.proto need. References outlive the server.
struct IngestSurroundings {
  Writer& writer;
  Workers& workers;
  Links& links;
  KeyChanges& key_changes;
  OrderChanges& order_changes;
  Approvals& approvals;
  const Authority& authority;
  WallClock clock;
  std::string tenant;
  Control& control;
  Workers& urgent;  // for what must not wait behind somebody's search: freezes
};

// Service Ingest: Report (streams of batches), and what daemons watch and acknowledge. Needs client
// certificates.
std::unique_ptr<grpc::Service> make_ingest_service(IngestSurroundings surroundings);
// Service Enrolment: Enrol (one-time token) and Renew (client certificate).
std::unique_ptr<grpc::Service> make_enrolment_service(IngestSurroundings surroundings);

}  // namespace aispm::collector
