// SPDX-License-Identifier: Apache-2.0
#include "sdk/cli/fleet.hpp"

#include "sdk/cli/describe.hpp"

namespace aispm::cli {
namespace {

using Stub = v1::Operator::Stub;
using enum Table::Align;

std::string two_digits(double value) {
  char text[32];
  std::snprintf(text, sizeof(text), "%.2f", value);
  return text;
}

Style state_style(const std::string& state) {
  return state == "sanctioned" ? Style::kGood : state == "ignored" ? Style::kDim : Style::kBad;
}

std::string seen_text(const v1::InventoryAsset& asset, WallTime now) {
  if (asset.has_gone()) return "gone " + age_text(asset.gone(), now);
  return age_text(asset.last_seen(), now) + (asset.stale() ? " (stale)" : "");
}

std::string short_hash(const std::string& hash) { return or_dash(hash.substr(0, 12)); }

void print_fact(const Output& output, const char* label, const std::string& value) {
  if (value.empty()) return;
  std::string padded = label;
  padded.resize(14, ' ');
  output.stream << paint(padded, Style::kDim, output.screen.colours) << safe(value) << "\n";
}

void print_heading(const Output& output, const char* heading) {
  output.stream << "\n" << paint(heading, Style::kBold, output.screen.colours) << "\n";
}

void print_evidence(const v1::InventoryAsset& asset, const Output& output) {
  print_heading(output, "evidence");
  Table table({{"TYPE"}, {"VALUE"}, {"RULE"}, {"WEIGHT", kRight}});
  for (const auto& evidence : asset.asset().evidence())
    table.add({evidence.type(), evidence.value(), or_dash(evidence.rule()),
               two_digits(evidence.weight())});
  output.stream << table.render(output.screen, "None was reported.");
}

void print_decisions(const v1::InventoryAsset& asset, const Output& output) {
  print_heading(output, "decisions");
  Table table({{"TIME (UTC)"}, {"WHO"}, {"STATE"}, {"OWNER"}, {"REASON"}});
  const auto step = [](const std::string& before, const std::string& after) {
    return before == after ? or_dash(after) : or_dash(before) + " -> " + or_dash(after);
  };
  for (const auto& change : asset.history())
    table.add({time_text(change.time()), change.who(), step(change.state_before(), change.state()),
               step(change.owner_before(), change.owner()), or_dash(change.reason())});
  output.stream << table.render(output.screen, "Nobody decided about it yet.");
}

}  // namespace

Result<> list_assets(Client& client, const AssetFilter& filter, const Output& output) {
  v1::ListAssetsRequest request;
  request.set_kind(filter.kind);
  request.set_state(filter.state);
  request.set_owner(filter.owner);
  request.set_unowned(filter.unowned);
  request.set_host_id(filter.host);
  request.set_agent_id(filter.agent);
  request.set_query(filter.query);
  request.set_stale(filter.stale);
  request.set_include_gone(filter.with_gone);
  AISPM_TRY(const v1::AssetList list,
            client.list(&Stub::ListAssets, request, &v1::AssetList::assets_size, filter.limit));
  if (output.json) return print_json(list, output);
  Table table({{"ID"},
               {"KIND"},
               {"NAME"},
               {"STATE"},
               {"OWNER"},
               {"CONFIDENCE", kRight},
               {"HOST"},
               {"AGENT"},
               {"LAST SEEN"}});
  for (const auto& asset : list.assets())
    table.add({asset.id(),
               asset.asset().kind(),
               or_dash(asset.asset().name()),
               {asset.state(), state_style(asset.state())},
               {or_dash(asset.owner()), asset.owner().empty() ? Style::kWarn : Style::kPlain},
               two_digits(asset.asset().confidence()),
               asset.hostname().empty() ? asset.host_id() : asset.hostname(),
               or_dash(asset.agent_id()),
               {seen_text(asset, output.now), asset.stale() ? Style::kWarn : Style::kPlain}});
  output.stream << table.render(output.screen, "No assets fit.");
  return {};
}

Result<> show_asset(Client& client, const std::string& id, const Output& output) {
  v1::GetAssetRequest request;
  request.set_id(id);
  AISPM_TRY(const v1::InventoryAsset asset, client.call(&Stub::GetAsset, request));
  if (output.json) return print_json(asset, output);
  output.stream << paint(safe(asset.asset().name()), Style::kBold, output.screen.colours) << "  "
                << paint(safe(asset.state()), state_style(asset.state()), output.screen.colours)
                << "\n";
  print_fact(output, "kind", asset.asset().kind());
  print_fact(output, "provider", asset.asset().provider());
  print_fact(output, "version", asset.asset().version());
  print_fact(output, "owner", or_dash(asset.owner()));
  print_fact(output, "reason", asset.reason());
  print_fact(output, "host", asset.hostname());
  print_fact(output, "agent", asset.agent_id());
  print_fact(output, "first seen", time_text(asset.first_seen()));
  print_fact(output, "last seen", seen_text(asset, output.now));
  print_fact(output, "confidence", two_digits(asset.asset().confidence()));
  print_fact(output, "because", asset.asset().explanation());
  for (const auto& [name, value] : asset.asset().attributes())
    print_fact(output, safe(name).c_str(), value);
  print_evidence(asset, output);
  print_decisions(asset, output);
  return {};
}

Result<> set_assets(Client& client, const std::vector<std::string>& ids, const std::string& state,
                    const std::optional<std::string>& owner, const std::string& reason,
                    const Output& output) {
  for (const std::string& id : ids) {
    v1::SetAssetStateRequest request;
    request.set_id(id);
    request.set_state(state);
    if (owner) request.set_owner(*owner);
    request.set_reason(reason);
    AISPM_TRY(const v1::InventoryAsset asset, client.call(&Stub::SetAssetState, request));
    if (output.json) {
      AISPM_CHECK(print_json(asset, output));
      continue;
    }
    output.stream << safe(asset.id()) << "  " << safe(asset.asset().name()) << ": "
                  << paint(safe(asset.state()), state_style(asset.state()), output.screen.colours)
                  << ", owner " << safe(or_dash(asset.owner())) << "\n";
  }
  return {};
}

Result<> show_summary(Client& client, std::uint32_t days, const Output& output) {
  v1::GetInventorySummaryRequest request;
  request.set_days(days);
  AISPM_TRY(const v1::InventorySummary summary, client.call(&Stub::GetInventorySummary, request));
  if (output.json) return print_json(summary, output);
  Table entities({{"ENTITY"},
                  {"TOTAL", kRight},
                  {"HIGH RISK", kRight},
                  {"UNOWNED", kRight},
                  {"NO POLICY", kRight}});
  const auto warn = [](std::uint64_t value, Style style) {
    return Cell(std::to_string(value), value > 0 ? style : Style::kPlain);
  };
  for (const auto& entity : summary.entities())
    entities.add({entity.entity(), std::to_string(entity.total()),
                  warn(entity.high_risk(), Style::kBad), warn(entity.unowned(), Style::kWarn),
                  warn(entity.no_policy(), Style::kWarn)});
  output.stream << entities.render(output.screen, "Nothing was seen yet.")
                << paint("Risk and policy: the last " + std::to_string(summary.days()) +
                             " days. Stale (not seen for more than " +
                             std::to_string(summary.stale_days()) +
                             " days): " + std::to_string(summary.stale()) + ".",
                         Style::kDim, output.screen.colours)
                << "\n\n";
  Table states({{"KIND"},
                {"SANCTIONED", kRight},
                {"UNSANCTIONED", kRight},
                {"IGNORED", kRight},
                {"UNOWNED", kRight},
                {"GONE", kRight}});
  for (const auto& state : summary.states())
    states.add({state.kind(), std::to_string(state.sanctioned()),
                warn(state.unsanctioned(), Style::kBad), std::to_string(state.ignored()),
                warn(state.unowned(), Style::kWarn), std::to_string(state.gone())});
  output.stream << states.render(output.screen, "No assets were reported yet.");
  return {};
}

Result<> list_mcp_servers(Client& client, const std::string& query, bool changed, std::size_t limit,
                          const Output& output) {
  v1::ListMcpServersRequest request;
  request.set_query(query);
  request.set_changed(changed);
  AISPM_TRY(const v1::McpServerList list,
            client.list(&Stub::ListMcpServers, request, &v1::McpServerList::servers_size, limit));
  if (output.json) return print_json(list, output);
  Table table({{"ID"},
               {"SERVER"},
               {"TRANSPORT"},
               {"WHERE"},
               {"HOST"},
               {"TOOLS", kRight},
               {"CALLS", kRight},
               {"ERRORS", kRight},
               {"CHANGES", kRight},
               {"AGENTS"},
               {"LAST SEEN"}});
  for (const auto& server : list.servers()) {
    std::string agents;
    for (const auto& agent : server.agents()) agents += (agents.empty() ? "" : ", ") + agent;
    table.add(
        {server.id(), server.name(), server.transport(), or_dash(server.endpoint()),
         server.hostname(), std::to_string(server.tools()) + (server.listed() ? "" : "?"),
         std::to_string(server.calls()), std::to_string(server.errors()),
         Cell(std::to_string(server.changes()), server.changes() > 0 ? Style::kBad : Style::kPlain),
         or_dash(agents), age_text(server.last_seen(), output.now)});
  }
  output.stream << table.render(output.screen, "No MCP servers fit.");
  return {};
}

Result<> show_mcp_server(Client& client, const std::string& id, const Output& output) {
  v1::GetMcpServerRequest request;
  request.set_id(id);
  AISPM_TRY(const v1::McpServer server, client.call(&Stub::GetMcpServer, request));
  if (output.json) return print_json(server, output);
  output.stream << paint(safe(server.name()), Style::kBold, output.screen.colours) << "\n";
  print_fact(output, "version", server.version());
  print_fact(output, "protocol", server.protocol_version());
  print_fact(output, "transport", server.transport());
  print_fact(output, "where", server.endpoint());
  print_fact(output, "host", server.hostname());
  print_fact(output, "last seen", age_text(server.last_seen(), output.now));
  print_heading(output, server.listed() ? "tools" : "tools that were called (no list was seen)");
  Table tools(
      {{"TOOL"}, {"DESCRIPTION"}, {"SCHEMA"}, {"CALLS", kRight}, {"ERRORS", kRight}, {"CHANGED"}});
  for (const auto& tool : server.tool_list())
    tools.add({Cell(tool.name() + (tool.removed() ? " (removed)" : ""),
                    tool.removed() ? Style::kDim : Style::kPlain),
               short_hash(tool.description_sha256()), short_hash(tool.schema_sha256()),
               std::to_string(tool.calls()), std::to_string(tool.errors()),
               tool.has_changed() ? Cell(time_text(tool.changed()), Style::kBad) : Cell("-")});
  output.stream << tools.render(output.screen, "None.");
  print_heading(output, "changes");
  Table changes({{"TIME (UTC)"}, {"TOOL"}, {"CHANGE"}, {"DESCRIPTION"}, {"SCHEMA"}});
  for (const auto& change : server.history())
    changes.add(
        {time_text(change.time()), change.tool(), Cell(change.change(), Style::kBad),
         short_hash(change.description_before()) + " -> " + short_hash(change.description_after()),
         short_hash(change.schema_before()) + " -> " + short_hash(change.schema_after())});
  output.stream << changes.render(output.screen, "None since the first list.");
  return {};
}

}  // namespace aispm::cli
