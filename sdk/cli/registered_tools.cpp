// SPDX-License-Identifier: Apache-2.0
#include <algorithm>
#include <chrono>
#include <thread>

#include "sdk/cli/describe.hpp"
#include "sdk/cli/registered.hpp"
#include "sdk/cli/tools.hpp"

namespace aispm::cli {
namespace {

using Stub = v1::Operator::Stub;

constexpr std::chrono::milliseconds kPatience{1500};  // connected gateways answer far sooner
constexpr std::chrono::milliseconds kPause{50};
constexpr std::size_t kShownHash = 12;

bool is_id(const std::string& text) {
  return text.size() > 1 && text.front() == 't' &&
         text.find_first_not_of("0123456789", 1) == std::string::npos;
}

std::string place_of(const v1::RegisteredTool& tool) {
  return tool.provider().empty() ? tool.name() : tool.provider() + "/" + tool.name();
}

// By its id, or the one tool of just that name.
Result<v1::RegisteredTool> find(Client& client, const ToolWords& words) {
  v1::GetRegisteredToolRequest get;
  get.set_id(words.tool);
  if (is_id(words.tool)) {
    auto found = client.call(&Stub::GetRegisteredTool, get);
    if (found || found.error().code != Errc::kNotFound) return found;
  }
  v1::ListRegisteredToolsRequest request;
  request.set_query(words.tool);
  AISPM_TRY(const v1::RegisteredToolList list, client.list(&Stub::ListRegisteredTools, request,
                                                           &v1::RegisteredToolList::tools_size, 0));
  std::string all;
  int count = 0;
  for (const v1::RegisteredTool& tool : list.tools()) {
    if (tool.name() != words.tool) continue;
    if (!words.provider.empty() && tool.provider() != words.provider) continue;
    all += (all.empty() ? "" : ", ") + tool.id() + " of `" + tool.provider() + "`";
    get.set_id(tool.id());
    ++count;
  }
  if (count > 1)
    return fail(Errc::kInvalid, "more than one tool is called `" + words.tool +
                                    "`: say --provider or an id: " + all);
  if (count == 0)
    return fail(Errc::kNotFound, "no tool is called `" + words.tool +
                                     "`: `aispm tool list` shows those that were seen");
  return client.call(&Stub::GetRegisteredTool, get);
}

Result<> tell(Client& client, const v1::RegisteredTool& tool, const Output& output) {
  if (output.json) return print_json(tool, output);
  const std::uint64_t version = tool.history_size() == 0 ? 0 : tool.history(0).version();
  AISPM_TRY(const std::string force, registry_in_force(client, version));
  output.stream << safe(place_of(tool)) << ": " << tool.state() << "  " << safe(force) << "\n";
  return {};
}

std::string short_hash(const std::string& hash) {
  return hash.empty() ? "-" : hash.substr(0, kShownHash);
}

std::string joined(const google::protobuf::RepeatedPtrField<std::string>& list) {
  std::string text;
  for (const std::string& one : list) text += (text.empty() ? "" : ", ") + one;
  return text.empty() ? "-" : text;
}

v1::ToolFacts facts_of(const ToolWords& words) {
  v1::ToolFacts facts;
  facts.set_version(words.version);
  facts.set_publisher(words.publisher);
  facts.set_source(words.source);
  facts.set_sha256(words.sha256);
  facts.set_risk(words.risk);
  facts.set_scope(words.scope);
  facts.set_owner(words.owner);
  facts.set_verified(words.is_verified);
  if (words.posture_below >= 0) facts.set_posture_below(words.posture_below);
  facts.mutable_permissions()->Add(words.permissions.begin(), words.permissions.end());
  return facts;
}

}  // namespace

Style style_of_state(const std::string& state) {
  if (state == "approved") return Style::kGood;
  if (state == "undecided") return Style::kDim;
  return state == "blocked" ? Style::kBad : Style::kWarn;
}

Result<std::string> registry_in_force(Client& client, std::uint64_t version) {
  v1::GetPolicyRequest request;
  request.set_policy_id("aispm.registry");
  const auto deadline = std::chrono::steady_clock::now() + kPatience;
  for (;;) {
    AISPM_TRY(const v1::Policy policy, client.call(&Stub::GetPolicy, request));
    std::size_t places = 0;
    for (const v1::PolicyHostState& state : policy.states()) {
      if (state.version() != policy.version()) continue;
      if (!state.problem().empty())
        return "not in " + state.component() + " of " + state.host_id() + ": " + state.problem();
      ++places;
    }
    if (places > 0 && policy.version() >= version)
      return "(version " + std::to_string(policy.version()) + " in force in " +
             std::to_string(places) + (places == 1 ? " place)" : " places)");
    if (std::chrono::steady_clock::now() >= deadline)
      return "(version " + std::to_string(policy.version()) +
             "; no gateway has said yet that it has it: `aispm policy hosts aispm.registry`)";
    std::this_thread::sleep_for(kPause);
  }
}

std::string render_history(const google::protobuf::RepeatedPtrField<v1::RegistryChange>& history,
                           const Output& output) {
  Table table({{"WHEN"}, {"WHO"}, {"WHAT"}, {"VERSION", Table::Align::kRight}, {"WHY"}});
  for (const v1::RegistryChange& change : history)
    table.add({time_text(change.time()), change.who(), change.action(),
               std::to_string(change.version()), change.reason()});
  return table.render(output.screen, "Nobody has decided anything yet.");
}

Result<> list_registered_tools(Client& client, const ToolWords& words, const Output& output) {
  v1::ListRegisteredToolsRequest request;
  request.set_query(words.query);
  request.set_state(words.state);
  AISPM_TRY(const v1::RegisteredToolList list, client.list(&Stub::ListRegisteredTools, request,
                                                           &v1::RegisteredToolList::tools_size, 0));
  if (output.json) return print_json(list, output);
  Table table({{"ID"},
               {"TOOL"},
               {"SERVER"},
               {"STATE"},
               {"PINS", Table::Align::kRight},
               {"CALLS", Table::Align::kRight},
               {"DENIED", Table::Align::kRight},
               {"FINDINGS"},
               {"LAST SEEN"},
               {"OWNER"}});
  for (const v1::RegisteredTool& tool : list.tools())
    table.add({tool.id(),
               tool.name(),
               tool.provider().empty() ? "-" : tool.provider(),
               {tool.state(), style_of_state(tool.state())},
               std::to_string(tool.pins()),
               std::to_string(std::max(tool.calls(), tool.decisions())),
               std::to_string(tool.denied()),
               {joined(tool.findings()), tool.findings().empty() ? Style::kDim : Style::kWarn},
               age_text(tool.last_seen(), output.now),
               tool.facts().owner().empty() ? "-" : tool.facts().owner()});
  output.stream << table.render(output.screen, "No tools: none was seen, and none is registered.");
  return {};
}

Result<> show_registered_tool(Client& client, const ToolWords& words, const Output& output) {
  AISPM_TRY(const v1::RegisteredTool tool, find(client, words));
  if (output.json) return print_json(tool, output);
  output.stream << safe(place_of(tool)) << "  "
                << paint(tool.state(), style_of_state(tool.state()), output.screen.colours)
                << (tool.reason().empty() ? "" : "  " + safe(tool.reason())) << "\n"
                << "seen " << age_text(tool.last_seen(), output.now) << " on "
                << safe(joined(tool.hosts())) << "; " << tool.calls() << " calls, "
                << tool.decisions() << " decisions, " << tool.denied() << " denied\n\n";
  Table definitions(
      {{"DESCRIPTION"}, {"SCHEMA"}, {"PINNED"}, {"LAST SEEN"}, {"HOST"}, {"FINDINGS"}});
  for (const auto& one : tool.definitions())
    definitions.add({short_hash(one.description_sha256()),
                     short_hash(one.schema_sha256()),
                     {one.pinned() ? "yes" : "no", one.pinned() ? Style::kGood : Style::kWarn},
                     age_text(one.last_seen(), output.now),
                     one.host_id().empty() ? "-" : one.host_id(),
                     joined(one.findings())});
  output.stream << definitions.render(output.screen, "Nobody has seen what it says of itself.")
                << "\n"
                << render_history(tool.history(), output);
  return {};
}

Result<> approve_registered_tool(Client& client, const ToolWords& words, const Output& output) {
  AISPM_TRY(const v1::RegisteredTool tool, find(client, words));
  v1::ReviewToolRequest request;
  request.set_id(tool.id());
  request.set_state("approved");
  request.set_only(words.only);
  request.set_without_pin(words.any);
  request.set_reason(words.reason);
  int fitting = 0;
  std::string seen;
  if (!words.any) {
    for (const auto& one : tool.definitions()) {
      if (!one.description_sha256().starts_with(words.description) ||
          !one.schema_sha256().starts_with(words.schema))
        continue;
      const bool is_named = !words.description.empty() || !words.schema.empty();
      if (one.pinned() && !is_named && tool.state() != "blocked") continue;
      ++fitting;
      seen += "\n  --description " + one.description_sha256() + " --schema " + one.schema_sha256();
      request.set_description_sha256(one.description_sha256());
      request.set_schema_sha256(one.schema_sha256());
    }
    if (fitting > 1)
      return fail(Errc::kInvalid, "more than one definition of it was seen; say which:" + seen);
    if (fitting == 0)
      return fail(Errc::kInvalid,
                  "no definition of it was seen that is not approved: give one with `aispm tool "
                  "register --list FILE`, or approve any with --any");
  }
  AISPM_TRY(const v1::RegisteredTool after, client.call(&Stub::ReviewTool, request));
  return tell(client, after, output);
}

Result<> decide_registered_tool(Client& client, const ToolWords& words, const std::string& state,
                                const Output& output) {
  auto found = find(client, words);
  if (!found && (state != "blocked" || found.error().code != Errc::kNotFound))
    return fail(found.error());
  v1::ReviewToolRequest request;
  if (!found) {  // blocked before anybody saw it
    v1::RegisterToolRequest make;
    make.set_name(words.tool);
    make.set_provider(words.provider);
    make.set_reason(words.reason);
    AISPM_TRY(found, client.call(&Stub::RegisterTool, make));
  }
  request.set_id(found->id());
  request.set_state(state);
  request.set_reason(words.reason);
  AISPM_TRY(const v1::RegisteredTool after, client.call(&Stub::ReviewTool, request));
  return tell(client, after, output);
}

Result<> register_tools(Client& client, const ToolWords& words, const Output& output) {
  std::vector<v1::RegisterToolRequest> requests;
  if (words.list.empty()) {
    if (words.tool.empty())
      return fail(Errc::kInvalid, "which tool? `aispm tool register TOOL`, or --list FILE");
    requests.emplace_back().set_name(words.tool);
  } else {
    AISPM_TRY(const auto scanned, scan_definitions(words.list));
    for (const ScannedTool& one : scanned) {
      if (!words.tool.empty() && one.name != words.tool) continue;
      v1::RegisterToolRequest& request = requests.emplace_back();
      request.set_name(one.name);
      v1::ToolDefinitionSeen& pin = *request.add_pins();
      pin.set_description_sha256(one.description_sha256);
      pin.set_schema_sha256(one.schema_sha256);
      pin.mutable_findings()->Add(one.findings.begin(), one.findings.end());
    }
    if (requests.empty())
      return fail(Errc::kNotFound, words.list + ": has no tool `" + words.tool + "`");
  }
  v1::RegisteredToolList list;
  for (v1::RegisterToolRequest& request : requests) {
    request.set_provider(words.provider);
    *request.mutable_facts() = facts_of(words);
    request.set_reason(words.reason);
    AISPM_TRY(*list.add_tools(), client.call(&Stub::RegisterTool, request));
  }
  if (output.json) return print_json(list, output);
  for (const v1::RegisteredTool& tool : list.tools()) AISPM_CHECK(tell(client, tool, output));
  return {};
}

}  // namespace aispm::cli
