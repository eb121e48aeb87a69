// SPDX-License-Identifier: Apache-2.0
#include "sdk/cli/fleet_arguments.hpp"

#include <memory>

#include "sdk/cli/fleet.hpp"

namespace aispm::cli {
namespace {

// What the options fill; shared with the action, which outlives the parser's callbacks.
struct Arguments {
  AssetFilter assets;
  TopologyFilter topology;
  std::vector<std::string> ids;
  std::string id, owner, reason, query, by = "process", spend_by = "agent", agent, file;
  std::vector<std::string> agents;
  std::size_t limit = 100;
  std::uint32_t hours = 0;
  std::uint32_t days = 0;
  bool changed = false;
};
using Shared = std::shared_ptr<Arguments>;

template <typename Number>
void add_limit(CLI::App* command, Number& limit) {
  command->add_option("--limit", limit, "At most so many rows; 0 means all")
      ->check(CLI::Range(0, 1000000))
      ->capture_default_str();
}

// A command that lists when no subcommand is named, and whose `list` does the same.
void list_by_default(CLI::App* command, Action& action, Action listing) {
  command->require_subcommand(0, 1);
  command->add_subcommand("list", "The same as without a subcommand");
  command->parse_complete_callback([command, &action, listing = std::move(listing)] {
    const auto chosen = command->get_subcommands();
    if (chosen.empty() || chosen.front()->get_name() == "list") action = listing;
  });
}

void add_decision(CLI::App* assets, const Shared& arguments, Action& action, const char* name,
                  const char* state, const char* help) {
  auto* const command = assets->add_subcommand(name, help);
  command->add_option("id", arguments->ids, "Ids as the list shows them")->required();
  auto* const owner = command->add_option("--owner", arguments->owner, "Who answers for it");
  command->add_option("--reason", arguments->reason, "Why, for the record");
  command->callback([=, &action] {
    std::optional<std::string> new_owner;
    if (owner->count() > 0) new_owner = arguments->owner;
    action = [=](Client& client, const Output& output) {
      return set_assets(client, arguments->ids, state, new_owner, arguments->reason, output);
    };
  });
}

void add_assets(CLI::App& app, const Shared& arguments, Action& action) {
  auto* const assets = app.add_subcommand(
      "assets", "AI on the hosts: agents, model servers, MCP servers, model files and so on");
  AssetFilter& filter = arguments->assets;
  assets->add_option("--kind", filter.kind, "Only this kind, e.g. coding_agent, model_server");
  assets->add_option("--state", filter.state, "Only this state")
      ->check(CLI::IsMember({"sanctioned", "unsanctioned", "ignored"}));
  assets->add_option("--of", filter.owner, "Only those of this owner");
  assets->add_flag("--unowned", filter.unowned, "Only those without an owner");
  assets->add_option("--host", filter.host, "Only this host id");
  assets->add_option("--agent", filter.agent, "Only those of this agent");
  assets->add_option("--query", filter.query, "Only those whose name contains this");
  assets->add_flag("--stale", filter.stale, "Only those not seen for more than 30 days");
  assets->add_flag("--gone", filter.with_gone, "Also those that are no longer there");
  add_limit(assets, filter.limit);
  assets->footer(
      "Examples:\n"
      "  aispm assets --state unsanctioned                 what nobody sanctioned\n"
      "  aispm assets show a17                             evidence, and who decided what\n"
      "  aispm assets sanction a17 --owner ml-team --reason 'reviewed in SEC-42'\n"
      "  aispm assets own a17 alice                        only the owner changes\n"
      "  aispm assets summary                              total, high risk, unowned, no policy\n");
  list_by_default(assets, action, [arguments](Client& client, const Output& output) {
    return list_assets(client, arguments->assets, output);
  });
  auto* const show = assets->add_subcommand("show", "One asset with its evidence and history");
  show->add_option("id", arguments->id, "As the list shows it")->required();
  show->callback([arguments, &action] {
    action = [arguments](Client& client, const Output& output) {
      return show_asset(client, arguments->id, output);
    };
  });
  add_decision(assets, arguments, action, "sanction", "sanctioned", "It may be used");
  add_decision(assets, arguments, action, "unsanction", "unsanctioned", "It may no longer be used");
  add_decision(assets, arguments, action, "ignore", "ignored", "It is known and of no concern");
  auto* const own = assets->add_subcommand("own", "Say who answers for an asset");
  own->add_option("id", arguments->id, "As the list shows it")->required();
  own->add_option("owner", arguments->owner, "Person or team; '' for nobody")->required();
  own->add_option("--reason", arguments->reason, "Why, for the record");
  own->callback([arguments, &action] {
    action = [arguments](Client& client, const Output& output) {
      return set_assets(client, {arguments->id}, "", arguments->owner, arguments->reason, output);
    };
  });
  auto* const summary =
      assets->add_subcommand("summary", "Entities and assets in numbers: risk, owners, policy");
  summary->add_option("--days", arguments->days, "Window of risk and policy; 0 means 30")
      ->check(CLI::Range(0, 90));
  summary->callback([arguments, &action] {
    action = [arguments](Client& client, const Output& output) {
      return show_summary(client, arguments->days, output);
    };
  });
}

void add_mcp(CLI::App& app, const Shared& arguments, Action& action) {
  auto* const mcp =
      app.add_subcommand("mcp", "MCP servers, their tools, and what changed about them");
  mcp->add_option("--query", arguments->query, "Only servers whose name or place contains this");
  mcp->add_flag("--changed", arguments->changed, "Only servers whose tools changed");
  add_limit(mcp, arguments->limit);
  mcp->footer(
      "Examples:\n"
      "  aispm mcp                servers that agents talk to\n"
      "  aispm mcp --changed      those whose tools are not what they were\n"
      "  aispm mcp show m5        tools with their hashes, and every change\n");
  list_by_default(mcp, action, [arguments](Client& client, const Output& output) {
    return list_mcp_servers(client, arguments->query, arguments->changed, arguments->limit, output);
  });
  auto* const show = mcp->add_subcommand("show", "One server with its tools and their history");
  show->add_option("id", arguments->id, "As the list shows it")->required();
  show->callback([arguments, &action] {
    action = [arguments](Client& client, const Output& output) {
      return show_mcp_server(client, arguments->id, output);
    };
  });
}

void add_views(CLI::App& app, const Shared& arguments, Action& action) {
  auto* const topology = app.add_subcommand(
      "topology", "Which agent uses which models, tools, MCP servers, data and services");
  topology->add_option("--agent", arguments->topology.agent, "Only this agent");
  topology->add_option("--host", arguments->topology.host, "Only this host id");
  topology->add_option("--depth", arguments->topology.depth, "Steps from the agent; 0 means 4")
      ->check(CLI::Range(0, 4));
  topology->add_option("--hours", arguments->topology.hours, "Only the last hours; 0 means 168")
      ->check(CLI::Range(0, 2160));
  topology->footer("Example:\n  aispm topology --agent alice/claude --hours 24\n");
  topology->callback([arguments, &action] {
    action = [arguments](Client& client, const Output& output) {
      return show_topology(client, arguments->topology, output);
    };
  });
  auto* const coverage = app.add_subcommand(
      "coverage", "Share of TLS traffic seen in plaintext, and why the rest was not");
  coverage->add_option("--by", arguments->by, "process, agent or host")
      ->check(CLI::IsMember({"process", "agent", "host"}))
      ->capture_default_str();
  coverage->add_option("--query", arguments->query, "Only programs or agents that contain this");
  add_limit(coverage, arguments->limit);
  coverage->footer("Example:\n  aispm coverage --by agent\n");
  coverage->callback([arguments, &action] {
    action = [arguments](Client& client, const Output& output) {
      return show_coverage(client, arguments->by, arguments->query, arguments->limit, output);
    };
  });
  auto* const spend =
      app.add_subcommand("spend", "Tokens of LLM calls, and what they cost by the price table");
  spend->add_option("--by", arguments->spend_by, "agent, user, model, provider or day")
      ->check(CLI::IsMember({"agent", "user", "model", "provider", "day"}))
      ->capture_default_str();
  spend->add_option("--days", arguments->days, "Days of UTC, with today; 0 means 30")
      ->check(CLI::Range(0, 90));
  spend->footer("Example:\n  aispm spend --by model --days 7\n");
  spend->callback([arguments, &action] {
    action = [arguments](Client& client, const Output& output) {
      return show_spend(client, arguments->spend_by, arguments->days, output);
    };
  });
  auto* const names = app.add_subcommand("names", "Domains that programs used, the newest first");
  names->add_option("--query", arguments->query, "Only names or programs that contain this");
  add_limit(names, arguments->limit);
  names->callback([arguments, &action] {
    action = [arguments](Client& client, const Output& output) {
      return list_names(client, arguments->query, arguments->limit, output);
    };
  });
}

void add_baselines(CLI::App& app, const Shared& arguments, Action& action) {
  auto* const baseline = app.add_subcommand(
      "baseline", "What is normal for an agent: tokens, latency, tools and destinations");
  baseline->require_subcommand(1);
  baseline->footer(
      "Examples:\n"
      "  aispm baseline show billing-bot              now, beside its reference\n"
      "  aispm baseline export > baselines.jsonl      of all agents\n"
      "  aispm baseline import baselines.jsonl        these are the references now\n");
  const auto add_hours = [&arguments](CLI::App* command) {
    command->add_option("--hours", arguments->hours, "Window; 0 means 720")
        ->check(CLI::Range(0, 2160));
  };
  auto* const show = baseline->add_subcommand("show", "One agent, beside its reference");
  show->add_option("agent", arguments->agent, "The agent")->required();
  add_hours(show);
  show->callback([arguments, &action] {
    action = [arguments](Client& client, const Output& output) {
      return show_baseline(client, arguments->agent, arguments->hours, output);
    };
  });
  auto* const write = baseline->add_subcommand("export", "One JSON document a line");
  write->add_option("agent", arguments->agents, "The agents; all when left out");
  add_hours(write);
  write->callback([arguments, &action] {
    action = [arguments](Client& client, const Output& output) {
      return export_baselines(client, arguments->agents, arguments->hours, output);
    };
  });
  auto* const read = baseline->add_subcommand("import", "Make exported baselines the references");
  read->add_option("file", arguments->file, "As export wrote it; - for standard input")->required();
  read->callback([arguments, &action] {
    action = [arguments](Client& client, const Output& output) {
      return import_baselines(client, arguments->file, output);
    };
  });
  auto* const list = baseline->add_subcommand("list", "Imported references");
  add_limit(list, arguments->limit);
  list->callback([arguments, &action] {
    action = [arguments](Client& client, const Output& output) {
      return list_baselines(client, arguments->limit, output);
    };
  });
}

}  // namespace

void add_fleet(CLI::App& app, Action& action) {
  const auto arguments = std::make_shared<Arguments>();
  add_assets(app, arguments, action);
  add_mcp(app, arguments, action);
  add_views(app, arguments, action);
  add_baselines(app, arguments, action);
}

}  // namespace aispm::cli
