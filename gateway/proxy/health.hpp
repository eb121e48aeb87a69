// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <memory>
#include <span>
#include <vector>

#include "gateway/proxy/worker.hpp"
#include "sdk/core/model/event.hpp"

namespace aispm::gateway {

// The gateway's own state: totals of all workers, what is degraded and what to do about it.
// `reload_error` is the last failed reload's, empty when none failed since the last good one.
model::Event describe_health(const Services& services,
                             std::span<const std::unique_ptr<Worker>> workers,
                             const std::string& reload_error);

}  // namespace aispm::gateway
