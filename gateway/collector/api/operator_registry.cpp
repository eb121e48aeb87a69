// SPDX-License-Identifier: Apache-2.0
#include "gateway/collector/api/operator_registry.hpp"

#include <ctime>

#include "aispm/v1/api.pb.h"
#include "gateway/collector/api/registry_file.hpp"
#include "gateway/collector/store/operator_log.hpp"
#include "gateway/collector/store/policy_shelf.hpp"
#include "gateway/collector/store/register_book.hpp"
#include "sdk/core/common/log.hpp"
#include "sdk/core/policy/bundle.hpp"

namespace aispm::collector::api {

namespace pb = aispm::v1;
using store::PolicyShelf;
using store::RegisterBook;
using store::RegisterChange;

namespace {

int hour_of(WallTime now) {
  const std::time_t seconds = now.nanoseconds / 1'000'000'000;
  std::tm local{};
  ::localtime_r(&seconds, &local);
  return local.tm_hour;
}

struct Published {
  std::vector<pb::PolicyFile> files;
  PolicyShelf::Checked checked;
};

// The file as gateways will read it, signed where there is a key.
Result<Published> compile(const std::string& text, const Control& control) {
  std::vector<policy::FolderFile> files = {{policy::kRegistryFile, text}};
  if (!control.registry_key.empty()) {
    AISPM_TRY(std::string signature, policy::sign_bundle(files, control.registry_key));
    files.insert(files.begin(), {policy::Bundle::kSignatureFile, std::move(signature)});
  } else if (control.policies_must_be_signed) {
    return fail(Errc::kExists,
                "policies.must_be_signed of this collector: the registry cannot change without a "
                "key that signs it (policies.registry_key)");
  }
  AISPM_TRY(const auto bundle,
            policy::Bundle::compile(files, {.trusted_keys = control.policy_keys,
                                            .must_be_signed = control.policies_must_be_signed}));
  Published published{{}, {bundle->version(), bundle->signed_by(), bundle->expires()}};
  for (policy::FolderFile& file : files) {
    pb::PolicyFile& one = published.files.emplace_back();
    one.set_path(std::move(file.path));
    one.set_content(std::move(file.content));
  }
  return published;
}

pb::OperatorAction action_of(const RegisterChange& change, const std::string& who) {
  pb::OperatorAction action;
  action.set_who(who);
  action.set_action(change.action);
  action.set_target(change.provider.empty() ? change.name : change.provider + "/" + change.name);
  action.set_reason(change.reason);
  action.set_before(change.state_before);
  action.set_after(change.state_after);
  return action;
}

// Decides, makes the next version of it and keeps the record, all or nothing; then whoever follows
// is told.
Result<RegisterChange> decide(Desk& desk, Control& control, WallTime now,
                              const std::function<Result<RegisterChange>(RegisterBook&)>& change) {
  const std::string& who = desk.caller.name;
  AISPM_TRY(store::Transaction transaction, store::Transaction::begin(desk.database));
  RegisterBook book(desk.database, control.tenant);
  AISPM_TRY(RegisterChange decided, change(book));
  AISPM_TRY(const auto tools, book.decided_tools());
  AISPM_TRY(const auto agents, book.decided_agents(now));
  AISPM_TRY(Published published, compile(registry_file(tools, agents), control));
  AISPM_TRY(
      const std::uint64_t version,
      PolicyShelf(desk.database)
          .set_registry(std::move(published.files), published.checked,
                        decided.action + " " + decided.name + ": " + decided.reason, who, now));
  AISPM_CHECK(book.note(decided, version, who, now));
  AISPM_CHECK(store::note_operator_action(desk.database, action_of(decided, who), now));
  AISPM_CHECK(transaction.commit());
  log::info(
      "registry.changed",
      {{"action", decided.action}, {"target", decided.name}, {"version", version}, {"by", who}});
  control.policy_changes.announce();
  control.audit();
  return decided;
}

Result<> score(RegisterBook& book, pb::RegisteredAgent* agent, WallTime now) {
  AISPM_TRY(const unsigned denials, book.denials_in_row(agent->agent_id()));
  score_trust(agent, denials, hour_of(now), now);
  return {};
}

Result<pb::RegisteredAgent> show_agent(Desk& desk, const Control& control,
                                       const std::string& agent_id, WallTime now) {
  RegisterBook book(desk.database, control.tenant);
  AISPM_TRY(pb::RegisteredAgent agent, book.agent(agent_id, now));
  AISPM_CHECK(score(book, &agent, now));
  return agent;
}

void add_tools(Handlers& handlers, const WallClock& clock, Control& control) {
  add_handler<pb::ListRegisteredToolsRequest, pb::RegisteredToolList>(
      handlers, "ListRegisteredTools", [&control](Desk& desk, const auto& request) {
        return RegisterBook(desk.database, control.tenant).tools(request);
      });
  add_handler<pb::GetRegisteredToolRequest, pb::RegisteredTool>(
      handlers, "GetRegisteredTool", [&control](Desk& desk, const auto& request) {
        return RegisterBook(desk.database, control.tenant).tool(request.id());
      });
  add_handler<pb::RegisterToolRequest, pb::RegisteredTool>(
      handlers, "RegisterTool",
      [clock, &control](Desk& desk, const auto& request) -> Result<pb::RegisteredTool> {
        const WallTime now = clock();
        AISPM_CHECK(decide(desk, control, now, [&](RegisterBook& book) {
          return book.register_tool(request, desk.caller.name, now);
        }));
        return RegisterBook(desk.database, control.tenant).tool(request.provider(), request.name());
      });
  add_handler<pb::ReviewToolRequest, pb::RegisteredTool>(
      handlers, "ReviewTool",
      [clock, &control](Desk& desk, const auto& request) -> Result<pb::RegisteredTool> {
        const WallTime now = clock();
        AISPM_CHECK(decide(desk, control, now, [&](RegisterBook& book) {
          return book.review_tool(request, desk.caller.name, now);
        }));
        return RegisterBook(desk.database, control.tenant).tool(request.id());
      });
}

void add_agents(Handlers& handlers, const WallClock& clock, Control& control) {
  add_handler<pb::ListRegisteredAgentsRequest, pb::RegisteredAgentList>(
      handlers, "ListRegisteredAgents",
      [clock, &control](Desk& desk, const auto& request) -> Result<pb::RegisteredAgentList> {
        const WallTime now = clock();
        RegisterBook book(desk.database, control.tenant);
        AISPM_TRY(pb::RegisteredAgentList list, book.agents(request, now));
        for (pb::RegisteredAgent& agent : *list.mutable_agents())
          AISPM_CHECK(score(book, &agent, now));
        return list;
      });
  add_handler<pb::GetRegisteredAgentRequest, pb::RegisteredAgent>(
      handlers, "GetRegisteredAgent", [clock, &control](Desk& desk, const auto& request) {
        return show_agent(desk, control, request.agent_id(), clock());
      });
  add_handler<pb::RegisterAgentRequest, pb::RegisteredAgent>(
      handlers, "RegisterAgent",
      [clock, &control](Desk& desk, const auto& request) -> Result<pb::RegisteredAgent> {
        const WallTime now = clock();
        AISPM_CHECK(decide(desk, control, now, [&](RegisterBook& book) {
          return book.register_agent(request, desk.caller.name, now);
        }));
        return show_agent(desk, control, request.agent_id(), now);
      });
  add_handler<pb::ReviewAgentRequest, pb::RegisteredAgent>(
      handlers, "ReviewAgent",
      [clock, &control](Desk& desk, const auto& request) -> Result<pb::RegisteredAgent> {
        const WallTime now = clock();
        AISPM_CHECK(decide(desk, control, now, [&](RegisterBook& book) {
          return book.review_agent(request, desk.caller.name, now);
        }));
        return show_agent(desk, control, request.agent_id(), now);
      });
}

}  // namespace

void add_registry(Handlers& handlers, const WallClock& clock, Control& control) {
  add_tools(handlers, clock, control);
  add_agents(handlers, clock, control);
}

}  // namespace aispm::collector::api
