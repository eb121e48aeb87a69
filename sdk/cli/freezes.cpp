// SPDX-License-Identifier: Apache-2.0
#include "sdk/cli/freezes.hpp"

#include <algorithm>
#include <map>
#include <thread>

#include "sdk/cli/describe.hpp"

namespace aispm::cli {
namespace {

using Stub = v1::Operator::Stub;

constexpr std::chrono::milliseconds kPatience{1500};  // connected hosts answer far sooner
constexpr std::chrono::milliseconds kPause{50};
constexpr std::size_t kShortId = 8;

const std::map<std::string, v1::FreezeScope>& scopes() {
  static const std::map<std::string, v1::FreezeScope> names = {
      {"agent", v1::FREEZE_SCOPE_AGENT},   {"session", v1::FREEZE_SCOPE_SESSION},
      {"user", v1::FREEZE_SCOPE_USER},     {"model", v1::FREEZE_SCOPE_MODEL},
      {"tenant", v1::FREEZE_SCOPE_TENANT}, {"all", v1::FREEZE_SCOPE_ALL}};
  return names;
}

std::string describe_target(const v1::Freeze& freeze) {
  for (const auto& [name, scope] : scopes())
    if (scope == freeze.scope()) return freeze.value().empty() ? name : name + " " + freeze.value();
  return "?";
}

Cell states_of(const v1::Freeze& freeze) {
  if (freeze.has_lifted()) return {"lifted by " + freeze.lifted_by(), Style::kDim};
  std::uint64_t slowest = 0;
  for (const v1::FreezeHostState& state : freeze.states()) {
    if (!state.problem().empty())
      return {"not in " + state.component() + " of " + state.host_id() + ": " + state.problem(),
              Style::kBad};
    slowest = std::max(slowest, state.latency_us());
  }
  const int count = freeze.states_size();
  if (count == 0) return {"nobody has it yet", Style::kWarn};
  return {"in force in " + std::to_string(count) + (count == 1 ? " place" : " places") +
              ", the last after " + duration_text(slowest),
          Style::kGood};
}

Result<v1::FreezeList> fetch(Client& client, bool with_past) {
  v1::ListFreezesRequest request;
  request.set_with_past(with_past);
  return client.list(&Stub::ListFreezes, request, &v1::FreezeList::freezes_size, 0);
}

}  // namespace

Result<v1::CreateFreezeRequest> freeze_request(const std::string& scope, const std::string& value,
                                               bool kills, const std::string& reason,
                                               std::uint32_t valid_seconds) {
  const auto found = scopes().find(scope);
  if (found == scopes().end())
    return fail(Errc::kInvalid,
                "`" + scope + "`: allowed are agent, session, user, model, tenant and all");
  if ((found->second == v1::FREEZE_SCOPE_ALL) != value.empty())
    return fail(Errc::kInvalid,
                value.empty() ? "whom? `aispm freeze " + scope + " NAME`" : "`all` takes no name");
  v1::CreateFreezeRequest request;
  request.mutable_freeze()->set_scope(found->second);
  request.mutable_freeze()->set_value(value);
  request.mutable_freeze()->set_kill(kills);
  request.mutable_freeze()->set_reason(reason);
  request.set_valid_seconds(valid_seconds);
  return request;
}

Result<> create_freeze(Client& client, const v1::CreateFreezeRequest& request,
                       const Output& output) {
  AISPM_TRY(v1::Freeze freeze, client.call(&Stub::CreateFreeze, request));
  const auto deadline = std::chrono::steady_clock::now() + kPatience;
  while (freeze.states_size() == 0 && std::chrono::steady_clock::now() < deadline) {
    std::this_thread::sleep_for(kPause);
    AISPM_TRY(const v1::FreezeList list, fetch(client, false));
    for (const v1::Freeze& one : list.freezes())
      if (one.id() == freeze.id()) freeze = one;
  }
  if (output.json) return print_json(freeze, output);
  const Cell state = states_of(freeze);
  const std::string id = safe(freeze.id().substr(0, kShortId));
  output.stream << id << "  " << (freeze.kill() ? "killed: " : "frozen: ")
                << safe(describe_target(freeze)) << "  "
                << paint(state.text, state.style, output.screen.colours) << "\n"
                << paint("Undo with: aispm unfreeze " + id + " --reason ...", Style::kDim,
                         output.screen.colours)
                << "\n";
  return {};
}

Result<> list_freezes(Client& client, bool with_past, const Output& output) {
  AISPM_TRY(const v1::FreezeList list, fetch(client, with_past));
  if (output.json) return print_json(list, output);
  Table table(
      {{"FREEZE"}, {"WHO"}, {"HOW"}, {"STATE"}, {"CREATED"}, {"BY"}, {"EXPIRES"}, {"REASON"}});
  for (const v1::Freeze& freeze : list.freezes())
    table.add({freeze.id().substr(0, kShortId),
               describe_target(freeze),
               {freeze.kill() ? "kill" : "freeze", freeze.kill() ? Style::kBad : Style::kWarn},
               states_of(freeze),
               age_text(freeze.created(), output.now),
               freeze.created_by(),
               freeze.has_expires() ? time_text(freeze.expires()) : "-",
               freeze.reason()});
  output.stream << table.render(output.screen, "Nobody is frozen.");
  return {};
}

Result<> lift_freeze(Client& client, const std::string& what, const std::string& reason,
                     const Output& output) {
  if (what.empty())
    return fail(Errc::kInvalid, "an id or a name is needed: `aispm freezes` shows them");
  AISPM_TRY(const v1::FreezeList list, fetch(client, false));
  v1::LiftFreezeRequest request;
  request.set_reason(reason);
  for (const v1::Freeze& freeze : list.freezes()) {
    if (!freeze.id().starts_with(what) && freeze.value() != what) continue;
    if (!request.freeze_id().empty())
      return fail(Errc::kInvalid, "more than one freeze fits " + what + ": give more of its id");
    request.set_freeze_id(freeze.id());
  }
  if (request.freeze_id().empty())
    return fail(Errc::kNotFound, "no freeze in force has the id or name " + what);
  AISPM_TRY(const v1::Freeze freeze, client.call(&Stub::LiftFreeze, request));
  if (output.json) return print_json(freeze, output);
  output.stream << "Lifted: " << safe(describe_target(freeze)) << "\n";
  return {};
}

}  // namespace aispm::cli
