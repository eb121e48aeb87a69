// SPDX-License-Identifier: Apache-2.0
#pragma once

#include "gateway/collector/api/handlers.hpp"
#include "gateway/collector/approvals.hpp"
#include "gateway/collector/ingest/writer.hpp"

namespace aispm::collector::api {

// ListApprovals, GetApproval, DecideApproval and CreateApprovalLink. `approvals` must outlive the
// handlers.
void add_approvals(Handlers& handlers, const WallClock& clock, Approvals& approvals);

}  // namespace aispm::collector::api
