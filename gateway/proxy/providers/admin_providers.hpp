// SPDX-License-Identifier: Apache-2.0
#pragma once

#include "gateway/proxy/admin_rules.hpp"

namespace aispm::gateway {

struct Services;

inline constexpr std::string_view kAdminProviders = "/aispm/v1/admin/providers";

// The operator's requests about providers:
//   GET    /aispm/v1/admin/providers               who they are, where they stand, how they fare
//   POST   /aispm/v1/admin/providers/reload        as the configuration file says now
//   PUT    /aispm/v1/admin/providers/NAME/origin   the body is the origin, until the process ends
//   DELETE /aispm/v1/admin/providers/NAME/origin   back to the file's
// Each is in force for every request that begins after its answer.
AdminReply serve_admin_providers(const AdminRequest& request, Services& services);

}  // namespace aispm::gateway
