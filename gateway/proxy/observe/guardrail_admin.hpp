// SPDX-License-Identifier: Apache-2.0
#pragma once

#include "gateway/proxy/admin_rules.hpp"

// Guardrails of a tenant, for its operator alone: an agent's key opens none of this.
//
//   GET    /api/v1/guardrails?tenant=acme        all of the tenant's
//   POST   /api/v1/guardrails?tenant=acme        a new one
//   GET    /api/v1/guardrails/{id}?tenant=acme
//   PUT    /api/v1/guardrails/{id}?tenant=acme   replaces it
//   DELETE /api/v1/guardrails/{id}?tenant=acme
//
// Without `tenant`: of agents whose key names none.
namespace aispm::gateway {

inline constexpr std::string_view kGuardrailPath = "/api/v1/guardrails";

// In force for the next request, and kept on disk, when it returns. On any error nothing has
// changed. One thread at a time.
AdminReply serve_guardrails(const AdminRequest& request, RuleShelf& shelf);

}  // namespace aispm::gateway
