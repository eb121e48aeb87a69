// SPDX-License-Identifier: Apache-2.0
#include <CLI/CLI.hpp>
#include <csignal>
#include <cstdio>
#include <exception>
#include <iostream>
#include <span>
#include <string_view>

#include "sdk/cli/approval_commands.hpp"
#include "sdk/cli/commands.hpp"
#include "sdk/cli/control_commands.hpp"
#include "sdk/cli/fleet_arguments.hpp"
#include "sdk/cli/gateway_providers.hpp"
#include "sdk/cli/gateway_rules.hpp"
#include "sdk/cli/order_commands.hpp"
#include "sdk/cli/policy_commands.hpp"
#include "sdk/cli/redteam.hpp"
#include "sdk/cli/registry_commands.hpp"
#include "sdk/cli/simulate_commands.hpp"
#include "sdk/cli/tools.hpp"

namespace {

using namespace aispm;

constexpr int kExitFailed = 1;
constexpr int kExitUsage = 2;

constexpr const char* kFooter =
    "Where the collector is and who asks comes from flags, else AISPM_COLLECTOR, AISPM_CA_FILE and "
    "AISPM_TOKEN, else the first\n"
    "of ~/.config/aispm/cli.yaml, /etc/aispm/cli.yaml and /var/lib/aispm/cli.yaml (keys: "
    "collector, ca_file, token_file).\n"
    "\n"
    "Examples:\n"
    "  aispm status                              health of the collector and of everything that "
    "reports to it\n"
    "  aispm assets --state unsanctioned         AI that nobody sanctioned, with owner and "
    "evidence\n"
    "  aispm topology --agent alice/claude       the models, tools, data and services it uses\n"
    "  aispm inventory processes                 processes in which AI use was seen\n"
    "  aispm events --follow --kind llm_call     LLM calls as they happen\n"
    "  aispm session show last                   the newest run of an agent as a story\n"
    "  aispm agent create-key billing-bot        a key with which that agent may use the gateway\n"
    "  aispm tool approve search_mail --reason 'read it'   a tool that changed may be called "
    "again\n"
    "  aispm block --agent '*/codex' --provider openai   refuse it on all hosts; `aispm undo` ends "
    "that\n"
    "  aispm policy push tools policies/starter  keep a bundle; `aispm policy promote` puts it in "
    "force\n"
    "  aispm freeze agent alice/codex --reason '...'   stop it everywhere; `aispm unfreeze` ends "
    "that\n"
    "  aispm events --json | jq '.events[].id'   the same for machines\n"
    "\n"
    "Exit status: 0 done, 1 failed, 2 wrong usage or configuration; `policy simulate`: 3 something "
    "flips, 4 something\n"
    "becomes looser.\n";

// What the command line asked for; filled by CLI11.
struct Arguments {
  cli::Flags flags;
  bool json = false;
  bool no_color = false;
  bool follow = false;
  cli::EventFilter filter;
  std::string what;
  std::string query;
  std::string id;
  std::string agent;
  std::string note;
  std::uint32_t valid_seconds = 0;
};

using cli::Action;

void add_limit(CLI::App* command, Arguments& arguments) {
  command->add_option("--limit", arguments.filter.limit, "At most so many rows; 0 means all")
      ->check(CLI::Range(0, 1000000))
      ->capture_default_str();
}

void add_reading(CLI::App& app, Arguments& arguments, Action& action) {
  auto* const status = app.add_subcommand(
      "status", "Health of the collector and of its sensors and gateways, with all losses");
  status->callback([&action] { action = cli::show_status; });

  auto* const inventory = app.add_subcommand(
      "inventory", "Hosts, AI processes, agents, providers and models that were seen");
  inventory
      ->add_option("what", arguments.what,
                   "hosts, processes, agents, providers or models; all when left out")
      ->check(CLI::IsMember({"hosts", "processes", "agents", "providers", "models"}));
  inventory->add_option("--query", arguments.query, "Only rows whose name contains this");
  add_limit(inventory, arguments);
  inventory->callback([&] {
    action = [&](cli::Client& client, const cli::Output& output) {
      return cli::show_inventory(client, arguments.what, arguments.query, arguments.filter.limit,
                                 output);
    };
  });

  auto* const events =
      app.add_subcommand("events", "What happened, the newest last; with --follow as it happens");
  events->add_flag("-f,--follow", arguments.follow,
                   "Print events as they are stored, until interrupted");
  events->add_option("--kind", arguments.filter.kind,
                     "Only this kind, e.g. llm_call, process_exec, sandbox_denial");
  events->add_option("--agent", arguments.filter.agent, "Only this agent");
  events->add_option("--session", arguments.filter.session, "Only this session");
  events->add_option("--host", arguments.filter.host, "Only this host id");
  events->add_option("--trace", arguments.filter.trace, "Only this trace id");
  add_limit(events, arguments);
  events->callback([&] {
    action = [&](cli::Client& client, const cli::Output& output) {
      return arguments.follow ? cli::follow_events(client, arguments.filter, output)
                              : cli::show_events(client, arguments.filter, output);
    };
  });
}

void add_sessions(CLI::App& app, Arguments& arguments, Action& action) {
  auto* const session = app.add_subcommand("session", "Runs of agents");
  session->require_subcommand(1);
  auto* const list = session->add_subcommand("list", "The newest runs");
  list->add_option("--query", arguments.query, "Only sessions whose agent contains this");
  add_limit(list, arguments);
  list->callback([&] {
    action = [&](cli::Client& client, const cli::Output& output) {
      return cli::list_sessions(client, arguments.query, arguments.filter.limit, output);
    };
  });
  auto* const show = session->add_subcommand(
      "show", "One run as a story: prompts, verdicts, replies, processes, connections");
  show->add_option("id", arguments.id, "Session id, or `last`")->required();
  show->callback([&] {
    action = [&](cli::Client& client, const cli::Output& output) {
      return cli::show_session(client, arguments.id, output);
    };
  });
}

void add_keys(CLI::App& app, Arguments& arguments, Action& action) {
  auto* const agent = app.add_subcommand(
      "agent", "Agents: the collector's registry, and keys with which they use the gateway");
  agent->require_subcommand(1);
  cli::add_registered_agents(*agent, [&action](Action chosen) { action = std::move(chosen); });
  auto* const create = agent->add_subcommand("create-key", "Make a key and print it, once");
  create
      ->add_option("name", arguments.agent, "The agent: 1..128 characters of A-Z a-z 0-9 . _ - / @")
      ->required();
  create->add_option("--note", arguments.note, "For people: what the key is for");
  create->callback([&] {
    action = [&](cli::Client& client, const cli::Output& output) {
      return cli::create_agent_key(client, arguments.agent, arguments.note, output);
    };
  });
  auto* const list = agent->add_subcommand("list-keys", "All keys, without the secret part");
  add_limit(list, arguments);
  list->callback([&] {
    action = [&](cli::Client& client, const cli::Output& output) {
      return cli::list_agent_keys(client, arguments.filter.limit, output);
    };
  });
  auto* const revoke = agent->add_subcommand("revoke-key", "Make a key useless, within a second");
  revoke->add_option("key-id", arguments.id, "As list-keys shows it")->required();
  revoke->callback([&] {
    action = [&](cli::Client& client, const cli::Output& output) {
      return cli::revoke_agent_key(client, arguments.id, output);
    };
  });

  auto* const token =
      app.add_subcommand("enrol-token", "Tokens with which sensors and gateways enrol");
  token->require_subcommand(1);
  auto* const make = token->add_subcommand("create", "Make a one-time token and print it");
  make->add_option("--valid-seconds", arguments.valid_seconds,
                   "How long it may be used; 0 means an hour")
      ->check(CLI::Range(0, 604800))
      ->capture_default_str();
  make->callback([&] {
    action = [&](cli::Client& client, const cli::Output& output) {
      return cli::create_enrolment_token(client, arguments.valid_seconds, output);
    };
  });
}

int complain(const Error& error) {
  std::fprintf(stderr, "aispm: %s\n", cli::safe(error.message).c_str());
  return error.code == Errc::kInvalid ? kExitUsage : kExitFailed;
}

int finish(const Result<>& done, int exit_status) {
  if (!done) return complain(done.error());
  std::cout.flush();
  if (std::cout) return exit_status;
  std::fprintf(stderr, "aispm: cannot write to standard output\n");
  return kExitFailed;
}

int run(int argc, char** argv) {
  CLI::App app("See and steer the AI agents of your hosts, over the collector's API.", "aispm");
  app.footer(kFooter);
  app.set_version_flag("--version", AISPM_VERSION);
  app.fallthrough();
  app.require_subcommand(1);
  Arguments arguments;
  Action action;
  app.add_option("--collector", arguments.flags.collector,
                 "Address of the collector's gRPC port, host:port");
  app.add_option("--ca-file", arguments.flags.ca_file, "CA certificate of the collector (PEM)");
  app.add_option("--token-file", arguments.flags.token_file, "File that holds the API token");
  app.add_option("--config", arguments.flags.config,
                 "Configuration file instead of those named below");
  app.add_flag("--json", arguments.json, "JSON for machines: field names as in proto/aispm/v1");
  app.add_flag("--no-color", arguments.no_color, "No colours (as does NO_COLOR=1, or a pipe)");
  add_reading(app, arguments, action);
  cli::add_fleet(app, action);
  add_sessions(app, arguments, action);
  add_keys(app, arguments, action);
  // Listed here; main() hands it on before anything is parsed.
  app.add_subcommand("redteam",
                     "Attack a running gateway with labelled texts and tell what it found; see "
                     "`aispm redteam --help`");
  cli::add_order_commands(app, [&action](Action chosen) { action = std::move(chosen); });
  cli::add_approval_commands(app, [&action](Action chosen) { action = std::move(chosen); });
  cli::LocalAction local;
  cli::add_policy_commands(app, [&local](cli::LocalAction chosen) { local = std::move(chosen); });
  cli::add_tool_commands(
      app, [&local](cli::LocalAction chosen) { local = std::move(chosen); },
      [&action](Action chosen) { action = std::move(chosen); });
  cli::add_detect_commands(app, [&local](cli::LocalAction chosen) { local = std::move(chosen); });
  cli::add_gateway_commands(app, [&local](cli::LocalAction chosen) { local = std::move(chosen); });
  cli::add_control_commands(app, [&action](Action chosen) { action = std::move(chosen); });
  cli::add_simulate_commands(
      app, [&local](cli::LocalAction chosen) { local = std::move(chosen); },
      [&action](Action chosen) { action = std::move(chosen); });
  try {
    app.parse(argc, argv);
  } catch (const CLI::ParseError& error) {
    return app.exit(error) == 0 ? 0 : kExitUsage;
  }
  int exit_status = 0;
  const cli::Output output{std::cout, cli::detect_screen(arguments.no_color), arguments.json,
                           wall_now(), &exit_status};
  if (local) {
    const Result<> done = local(output);
    return finish(done, exit_status);
  }
  auto settings = cli::resolve_settings(arguments.flags, cli::process_environment());
  if (!settings) {
    complain(settings.error());
    return kExitUsage;
  }
  auto client = cli::Client::open(std::move(*settings));
  if (!client) return complain(client.error());
  const Result<> done = action(*client, output);
  return finish(done, exit_status);
}

}  // namespace

int main(int argc, char** argv) {
  std::ios::sync_with_stdio(false);
  try {
    if (argc > 1 && std::string_view(argv[1]) == "redteam")
      return complain(cli::exec_redteam(std::span(argv + 2, static_cast<std::size_t>(argc - 2))));
    return run(argc, argv);
  } catch (const std::exception& bug) {
    std::fprintf(stderr, "aispm: bug: %s\n", bug.what());
    return kExitFailed;
  }
}
