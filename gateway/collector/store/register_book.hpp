// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

#include "aispm/v1/registry.pb.h"
#include "gateway/collector/store/database.hpp"
#include "sdk/core/common/result.hpp"
#include "sdk/core/common/time.hpp"

namespace aispm::collector::store {

namespace pb = aispm::v1;

// A decision that was written, for its record.
struct RegisterChange {
  std::string kind;  // "tool", "agent"
  std::string provider;
  std::string name;
  std::string action;  // "tool.approve"
  std::string reason;
  std::string before;  // JSON
  std::string after;
  std::string state_before;  // in a word
  std::string state_after;
};

// The registry of agents and tools of one tenant. What changes it is called within the caller's
// transaction, which ends with note(). Owned by one thread.
class RegisterBook {
 public:
  static constexpr int kMaxPins = 32;         // of one tool
  static constexpr int kMaxDefinitions = 64;  // that a tool shows
  static constexpr int kMaxHosts = 64;
  static constexpr int kMaxHistory = 200;
  static constexpr int kMaxNames = 64;  // roles, scopes, permissions

  RegisterBook(Database& database, std::string tenant)
      : database_(database), tenant_(std::move(tenant)) {}

  Result<pb::RegisteredToolList> tools(const pb::ListRegisteredToolsRequest& request);
  Result<pb::RegisteredTool> tool(const std::string& id);
  // By its name; kNotFound.
  Result<pb::RegisteredTool> tool(const std::string& provider, const std::string& name);
  Result<RegisterChange> register_tool(const pb::RegisterToolRequest& request,
                                       const std::string& who, WallTime now);
  // kExists (409): an approval without a pin that does not say so.
  Result<RegisterChange> review_tool(const pb::ReviewToolRequest& request, const std::string& who,
                                     WallTime now);

  Result<pb::RegisteredAgentList> agents(const pb::ListRegisteredAgentsRequest& request,
                                         WallTime now);
  Result<pb::RegisteredAgent> agent(const std::string& agent_id, WallTime now);
  Result<RegisterChange> register_agent(const pb::RegisterAgentRequest& request,
                                        const std::string& who, WallTime now);
  Result<RegisterChange> review_agent(const pb::ReviewAgentRequest& request, const std::string& who,
                                      WallTime now);
  // Of the newest decisions about its actions, how many in a row were denials; at most 4.
  Result<unsigned> denials_in_row(const std::string& agent_id);

  // All that is approved or blocked, by name, with pins in `definitions`.
  Result<std::vector<pb::RegisteredTool>> decided_tools();
  Result<std::vector<pb::RegisteredAgent>> decided_agents(WallTime now);

  // Keeps the decision; `version` of the policy that holds it.
  Result<> note(const RegisterChange& change, std::uint64_t version, const std::string& who,
                WallTime now);

 private:
  Result<pb::RegisteredTool> read_tool(const Statement& row);
  Result<pb::RegisteredTool> find_tool(std::int64_t ref);
  Result<> add_definitions(std::int64_t ref, bool only_pinned, pb::RegisteredTool* to);
  Result<> describe(std::int64_t ref, pb::RegisteredTool* to);
  Result<std::int64_t> make_tool(const std::string& provider, const std::string& name);
  Result<> pin(std::int64_t ref, const pb::ToolDefinitionSeen& definition);
  Result<pb::RegisteredTool> record_of(std::int64_t ref);
  Result<> approve(std::int64_t ref, const pb::ReviewToolRequest& request);
  Result<> forget_tool(std::int64_t ref);
  Result<> save_tool(std::int64_t ref, int state, const std::string& reason, const std::string& who,
                     WallTime now);
  Result<RegisterChange> change_of(const pb::RegisteredTool& before, std::int64_t ref,
                                   const char* action, const std::string& reason);
  Result<pb::RegisteredAgent> read_agent(const Statement& row, WallTime now);
  Result<pb::RegisteredAgent> find_agent(const std::string& agent_id, WallTime now);
  Result<> save_agent(const pb::RegisteredAgent& agent, int state, const std::string& who,
                      WallTime now);
  template <typename To>
  Result<> add_history(const char* kind, const std::string& provider, const std::string& name,
                       To* to);
  template <typename To>
  Result<> add_hosts(std::string_view sql, const std::string& key, To* to);

  Database& database_;
  const std::string tenant_;
};

// "approved", "blocked", "undecided" as stored. kInvalid: another.
Result<int> parse_register_state(std::string_view state);
const char* register_state_name(std::int64_t state);
// JSON with the names of proto/aispm/v1; "" of an empty message.
std::string register_json(const google::protobuf::Message& message);

// ---- templates

template <typename To>
Result<> RegisterBook::add_history(const char* kind, const std::string& provider,
                                   const std::string& name, To* to) {
  AISPM_TRY(Statement* const find,
            database_.cached("SELECT time, who, action, reason, before, after, version FROM "
                             "registry_changes WHERE tenant=? AND kind=? AND name=? AND "
                             "provider=? ORDER BY ref DESC LIMIT ?"));
  find->bind(tenant_, std::string_view(kind), name, provider, kMaxHistory);
  for (;;) {
    AISPM_TRY(const bool is_row, find->step());
    if (!is_row) return {};
    pb::RegistryChange& change = *to->add_history();
    const std::int64_t time = find->integer(0);
    change.mutable_time()->set_seconds(time / 1'000'000'000);
    change.mutable_time()->set_nanos(static_cast<std::int32_t>(time % 1'000'000'000));
    change.set_who(find->text(1));
    change.set_action(find->text(2));
    change.set_reason(find->text(3));
    change.set_before(find->text(4));
    change.set_after(find->text(5));
    change.set_version(find->count(6));
  }
}

template <typename To>
Result<> RegisterBook::add_hosts(std::string_view sql, const std::string& key, To* to) {
  AISPM_TRY(Statement* const find, database_.cached(sql));
  find->bind(key, kMaxHosts);
  for (;;) {
    AISPM_TRY(const bool is_row, find->step());
    if (!is_row) return {};
    to->add_hosts(find->text(0));
  }
}

}  // namespace aispm::collector::store
