// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <cstdint>
#include <string>
#include <vector>

#include "aispm/v1/policy.pb.h"
#include "sdk/cli/commands.hpp"

// Policies of the collector: list, show, push, versions, diff, restore, promote, scope, hosts.
namespace aispm::cli {

struct ScopeWords {
  std::vector<std::string> agents, tenants, hosts;
  std::uint32_t priority = 0;
};

Result<> list_policies(Client& client, const std::string& agent, bool with_deprecated,
                       const Output& output);
// `out`: a new folder for the version's files; "" = none.
Result<> show_policy(Client& client, const std::string& id, std::uint64_t version,
                     const std::string& out, const Output& output);
// The bundle is compiled here and by the collector.
Result<> push_policy(Client& client, const std::string& id, const std::string& folder,
                     const std::string& comment, const ScopeWords& scope, const Output& output);
Result<> list_versions(Client& client, const std::string& id, const Output& output);
// 0: `from` the version in force, `to` the newest.
Result<> diff_versions(Client& client, const std::string& id, std::uint64_t from, std::uint64_t to,
                       const Output& output);
Result<> restore_version(Client& client, const std::string& id, std::uint64_t version,
                         const std::string& reason, const Output& output);
Result<> promote_policy(Client& client, const v1::PromotePolicyRequest& request,
                        const Output& output);
Result<> set_scope(Client& client, const std::string& id, const ScopeWords& scope,
                   const std::string& reason, const Output& output);
Result<> show_hosts(Client& client, const std::string& id, const Output& output);
Result<v1::PolicyStage> parse_stage(const std::string& name);

}  // namespace aispm::cli
