// SPDX-License-Identifier: Apache-2.0
#include <google/protobuf/util/json_util.h>

#include <algorithm>
#include <iostream>
#include <map>
#include <set>
#include <sstream>

#include "sdk/cli/describe.hpp"
#include "sdk/cli/fleet.hpp"
#include "sdk/core/common/file.hpp"

namespace aispm::cli {
namespace {

using Stub = v1::Operator::Stub;
using enum Table::Align;

constexpr std::size_t kMaxImportBytes = 16U << 20;

std::string percent(double share) {
  char text[32];
  std::snprintf(text, sizeof(text), "%.0f %%", share * 100);
  return text;
}

std::string whole(double value) {
  char text[32];
  std::snprintf(text, sizeof(text), "%.0f", value);
  return text;
}

// Draws what is reachable from one agent; a node that stands above its own line is not drawn again.
class Tree {
 public:
  Tree(const v1::Topology& topology, const Screen& screen) : screen_(screen) {
    for (const auto& node : topology.nodes()) nodes_[node.id()] = &node;
    for (const auto& edge : topology.edges()) edges_[edge.from()].push_back(&edge);
    for (auto& [from, edges] : edges_)
      std::ranges::sort(edges,
                        [](const auto* a, const auto* b) { return a->count() > b->count(); });
  }

  std::string draw() {
    for (const auto& [id, node] : nodes_) {
      if (node->kind() != "agent" && node->kind() != "program") continue;
      out_ += paint(safe(node->name()), Style::kBold, screen_.colours) +
              (node->kind() == "program" ? "  (no agent is known)" : "") + "\n";
      path_ = {id};
      branch(id, node->name(), "");
    }
    return out_;
  }

 private:
  void branch(const std::string& from, const std::string& actor, const std::string& indent) {
    const auto found = edges_.find(from);
    if (found == edges_.end()) return;
    std::vector<const v1::TopologyEdge*> own;
    for (const auto* edge : found->second)
      if (std::ranges::find(edge->agents(), actor) != edge->agents().end() &&
          nodes_.contains(edge->to()) && !path_.contains(edge->to()))
        own.push_back(edge);
    for (std::size_t i = 0; i < own.size(); ++i) {
      const bool is_last = i + 1 == own.size();
      const auto& node = *nodes_.at(own[i]->to());
      out_ +=
          indent + (is_last ? "└─ " : "├─ ") +
          paint(safe(node.kind()), Style::kDim, screen_.colours) + " " +
          paint(safe(node.name()), own[i]->risky() ? Style::kBad : Style::kPlain, screen_.colours) +
          "  " + std::to_string(own[i]->count()) + "x" + (own[i]->risky() ? "  at risk" : "") +
          "\n";
      path_.insert(node.id());
      branch(node.id(), actor, indent + (is_last ? "   " : "│  "));
      path_.erase(node.id());
    }
  }

  const Screen& screen_;
  std::map<std::string, const v1::TopologyNode*> nodes_;
  std::map<std::string, std::vector<const v1::TopologyEdge*>> edges_;
  std::set<std::string> path_;
  std::string out_;
};

std::string names_of(const google::protobuf::RepeatedPtrField<v1::BaselineUse>& uses) {
  std::string text;
  for (const auto& use : uses)
    text += (text.empty() ? "" : ", ") + use.name() + " (" + std::to_string(use.count()) + ")";
  return text.empty() ? "-" : text;
}

void print_baseline(const v1::Baseline& baseline, const Output& output) {
  output.stream << paint(safe(baseline.agent_id()), Style::kBold, output.screen.colours) << "  "
                << time_text(baseline.from()) << " to " << time_text(baseline.until()) << " UTC\n"
                << baseline.calls() << " calls, " << whole(baseline.calls_per_hour())
                << " in an hour in which it called, " << baseline.failures() << " failed"
                << (baseline.cut() ? "; only the newest 100000 count" : "") << "\n\n";
  Table table(
      {{""}, {"MEAN", kRight}, {"P50", kRight}, {"P95", kRight}, {"P99", kRight}, {"MAX", kRight}});
  const auto add = [&table](const char* name, const v1::Spread& spread, auto text) {
    table.add({std::string(name), text(static_cast<std::uint64_t>(spread.mean())),
               text(spread.p50()), text(spread.p95()), text(spread.p99()), text(spread.max())});
  };
  const auto count = [](std::uint64_t value) { return std::to_string(value); };
  add("input tokens", baseline.input_tokens(), count);
  add("output tokens", baseline.output_tokens(), count);
  add("latency", baseline.latency_us(), duration_text);
  output.stream << table.render(output.screen, "") << "\nmodels        "
                << safe(names_of(baseline.models())) << "\ntools         "
                << safe(names_of(baseline.tools())) << "\ndestinations  "
                << safe(names_of(baseline.destinations())) << "\n";
}

Result<std::string> read_input(const std::string& path) {
  if (path != "-") return read_file(path, kMaxImportBytes);
  std::string text;
  char buffer[65536];
  while (std::cin.read(buffer, sizeof(buffer)) || std::cin.gcount() > 0) {
    text.append(buffer, static_cast<std::size_t>(std::cin.gcount()));
    if (text.size() > kMaxImportBytes)
      return fail(Errc::kTooLarge, "standard input: larger than 16 MiB");
  }
  return text;
}

}  // namespace

std::string render_topology(const v1::Topology& topology, const Screen& screen) {
  if (topology.nodes_size() == 0) return "No agent used anything in this time.\n";
  return Tree(topology, screen).draw() +
         (topology.truncated() ? "There is more: choose an agent, a host or a shorter time.\n"
                               : "");
}

Result<> show_topology(Client& client, const TopologyFilter& filter, const Output& output) {
  v1::GetTopologyRequest request;
  request.set_agent_id(filter.agent);
  request.set_host_id(filter.host);
  request.set_depth(filter.depth);
  request.set_hours(filter.hours);
  AISPM_TRY(const v1::Topology topology, client.call(&Stub::GetTopology, request));
  if (output.json) return print_json(topology, output);
  output.stream << render_topology(topology, output.screen);
  return {};
}

Result<> show_coverage(Client& client, const std::string& by, const std::string& query,
                       std::size_t limit, const Output& output) {
  v1::ListCoverageRequest request;
  request.set_by(by);
  request.set_query(query);
  AISPM_TRY(v1::CoverageList list,
            client.list(&Stub::ListCoverage, request, &v1::CoverageList::rows_size, limit));
  // Every page brings the same total; merging pages has added them up field by field.
  request.set_page_size(1);
  AISPM_TRY(const v1::CoverageList first, client.call(&Stub::ListCoverage, request));
  *list.mutable_total() = first.total();
  if (output.json) return print_json(list, output);
  Table table({{"WHO"},
               {"HOST"},
               {"SEEN", kRight},
               {"ON THE WIRE", kRight},
               {"CONNECTIONS", kRight},
               {"WHY NOT ALL"}});
  for (const auto& row : list.rows()) {
    std::string who = by == "agent" ? row.agent_id() : by == "host" ? row.hostname() : "";
    if (by == "agent" && who.empty()) who = "(no agent)";
    if (row.has_process())
      who = row.process().comm() + "[" + std::to_string(row.process().pid()) + "]";
    std::string gaps;
    for (const auto& gap : row.gaps())
      gaps += (gaps.empty() ? "" : "; ") + gap.library() + ": " + gap.reason() + " (" +
              size_text(gap.wire_bytes()) + ")";
    table.add({who, row.hostname().empty() ? "-" : row.hostname(),
               Cell(percent(row.share()), row.gaps_size() > 0 ? Style::kWarn : Style::kGood),
               size_text(row.wire_bytes()), std::to_string(row.connections()),
               gaps.empty() ? "-" : gaps});
  }
  output.stream << table.render(output.screen, "No TLS traffic was measured yet.");
  if (list.rows_size() > 0)
    output.stream << "All: " << percent(list.total().share()) << " of "
                  << size_text(list.total().wire_bytes()) << " in " << list.total().processes()
                  << " processes.\n";
  return {};
}

Result<> list_names(Client& client, const std::string& query, std::size_t limit,
                    const Output& output) {
  v1::ListRequest request;
  request.set_query(query);
  AISPM_TRY(const v1::SeenNameList list,
            client.list(&Stub::ListNames, request, &v1::SeenNameList::names_size, limit));
  if (output.json) return print_json(list, output);
  Table table({{"NAME"},
               {"HOW"},
               {"PROVIDER"},
               {"PROGRAM"},
               {"HOST"},
               {"AGENT"},
               {"COUNT", kRight},
               {"LAST SEEN"}});
  for (const auto& name : list.names()) {
    std::string how = name.source();
    if (name.encrypted_hello()) how += ", encrypted hello";
    if (name.doh()) how += ", DNS over HTTPS";
    table.add({name.name(), how, name.provider().empty() ? "-" : name.provider(), name.program(),
               name.hostname(), name.agent_id().empty() ? "-" : name.agent_id(),
               std::to_string(name.count()), age_text(name.last_seen(), output.now)});
  }
  output.stream << table.render(output.screen, "No names were seen yet.");
  return {};
}

Result<> show_baseline(Client& client, const std::string& agent, std::uint32_t hours,
                       const Output& output) {
  v1::GetBaselineRequest request;
  request.set_agent_id(agent);
  request.set_hours(hours);
  AISPM_TRY(const v1::BaselineReport report, client.call(&Stub::GetBaseline, request));
  if (output.json) return print_json(report, output);
  print_baseline(report.current(), output);
  output.stream << "\n";
  if (!report.has_reference()) {
    output.stream << "No reference: `aispm baseline export AGENT | aispm baseline import -` makes "
                     "today's the reference.\n";
    return {};
  }
  output.stream << "Reference imported " << age_text(report.reference().imported(), output.now)
                << " by " << safe(report.reference().imported_by()) << ".\n";
  for (const auto& deviation : report.deviations())
    output.stream << "  " << paint(safe(deviation), Style::kBad, output.screen.colours) << "\n";
  if (report.deviations_size() == 0) output.stream << "  No deviation from it.\n";
  return {};
}

Result<> export_baselines(Client& client, std::vector<std::string> agents, std::uint32_t hours,
                          const Output& output) {
  if (agents.empty()) {
    AISPM_TRY(const v1::AgentList list,
              client.list(&Stub::ListAgents, v1::ListRequest(), &v1::AgentList::agents_size, 0));
    for (const auto& agent : list.agents()) agents.push_back(agent.agent_id());
  }
  for (const std::string& agent : agents) {
    v1::ExportBaselineRequest request;
    request.set_agent_id(agent);
    request.set_hours(hours);
    AISPM_TRY(const v1::Baseline baseline, client.call(&Stub::ExportBaseline, request));
    AISPM_CHECK(print_json(baseline, output));
  }
  return {};
}

Result<> import_baselines(Client& client, const std::string& path, const Output& output) {
  AISPM_TRY(const std::string text, read_input(path));
  std::istringstream lines(text);
  std::size_t number = 0;
  std::size_t imported = 0;
  for (std::string line; std::getline(lines, line);) {
    ++number;
    if (line.find_first_not_of(" \t\r") == std::string::npos) continue;
    v1::ImportBaselineRequest request;
    const auto status =
        google::protobuf::util::JsonStringToMessage(line, request.mutable_baseline());
    if (!status.ok())
      return fail(Errc::kInvalid, path + ":" + std::to_string(number) +
                                      ": no baseline as `aispm baseline export` writes it: " +
                                      std::string(status.message()));
    AISPM_TRY(const v1::StoredBaseline stored, client.call(&Stub::ImportBaseline, request));
    ++imported;
    if (output.json)
      AISPM_CHECK(print_json(stored, output));
    else
      output.stream << "Reference of " << safe(stored.baseline().agent_id()) << " imported.\n";
  }
  if (imported == 0) return fail(Errc::kInvalid, path + ": holds no baseline");
  return {};
}

Result<> list_baselines(Client& client, std::size_t limit, const Output& output) {
  AISPM_TRY(const v1::StoredBaselineList list,
            client.list(&Stub::ListBaselines, v1::ListRequest(),
                        &v1::StoredBaselineList::baselines_size, limit));
  if (output.json) return print_json(list, output);
  Table table({{"AGENT"}, {"CALLS", kRight}, {"UNTIL (UTC)"}, {"IMPORTED"}, {"BY"}});
  for (const auto& stored : list.baselines())
    table.add({stored.baseline().agent_id(), std::to_string(stored.baseline().calls()),
               time_text(stored.baseline().until()), age_text(stored.imported(), output.now),
               stored.imported_by()});
  output.stream << table.render(output.screen, "No reference was imported yet.");
  return {};
}

}  // namespace aispm::cli
