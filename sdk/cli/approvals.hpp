// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <functional>
#include <string>
#include <vector>

#include "aispm/v1/policy.pb.h"
#include "sdk/cli/commands.hpp"

namespace CLI {
class App;
}

// aispm approval ...
namespace aispm::cli {

Result<> list_approvals(Client& client, bool with_past, const std::string& agent, std::size_t limit,
                        const Output& output);
// `id` may be the first digits of one.
Result<> show_approval(Client& client, const std::string& id, const Output& output);
// `request` without its approval id.
Result<> answer_approval(Client& client, const std::string& id, v1::DecideApprovalRequest request,
                         const Output& output);
Result<> link_approval(Client& client, const std::string& id, v1::CreateApprovalLinkRequest request,
                       const Output& output);

}  // namespace aispm::cli
