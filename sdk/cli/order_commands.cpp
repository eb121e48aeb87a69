// SPDX-License-Identifier: Apache-2.0
#include "sdk/cli/order_commands.hpp"

#include <CLI/CLI.hpp>

#include "sdk/cli/control_commands.hpp"

namespace aispm::cli {
namespace {

using Choose = std::function<void(std::function<Result<>(Client&, const Output&)>)>;

// What one command line says; lives as long as its subcommand.
struct Words {
  std::string host, exe, agent, user, cgroup, container, domain, provider, model, detection, reason;
  std::uint32_t pid = 0;
  std::uint64_t start = 0;
  std::vector<std::string> addresses, programs, folders, approved, egress;
  std::vector<std::uint32_t> ports;
  bool raw_sockets = false, kernel_writes = false, tamper = false;
  bool kills = false, refuses = false, monitors = false;
  std::string valid_for;
};

void add_subject(CLI::App* command, Words& words) {
  command->add_option("--agent", words.agent, "Agent or glob, e.g. alice/codex, '*/codex'");
  command->add_option("--exe", words.exe, "Path of the program or glob");
  command->add_option("--user", words.user, "User name or uid");
  command->add_option("--pid", words.pid, "One process with all it starts; needs --host");
  command->add_option("--start", words.start,
                      "start_boottime_ns of that process, when it is not in the inventory");
  command->add_option("--cgroup", words.cgroup, "Path below the cgroup2 root");
  command->add_option("--container", words.container, "Container id, at least 12 digits");
  command->add_option("--host", words.host, "Only on this host id; all hosts when left out");
}

void add_destination(CLI::App* command, Words& words) {
  command->add_option("--to", words.addresses, "Address or CIDR; may be repeated");
  command->add_option("--port", words.ports, "Port; may be repeated")->check(CLI::Range(1, 65535));
  command->add_option("--domain", words.domain, "Host name with everything below it");
  command->add_option("--provider", words.provider, "AI provider, e.g. openai");
}

void add_block_words(CLI::App* command, Words& words) {
  command->add_option("--model", words.model,
                      "Model or glob: the connection that carries its prompt is cut");
  command->add_option("--detection", words.detection,
                      "Cut the connection of a prompt that holds this, e.g. secret");
  command->add_option("--all-but", words.egress,
                      "Block every destination but these addresses and names");
  command->add_option("--program", words.programs, "Forbid to start programs of this file name");
  command->add_option("--writes-outside", words.folders,
                      "Forbid to write outside these folders (needs BPF LSM)");
  command->add_option("--programs-other-than", words.approved,
                      "Forbid to start all but these files, or those below these folders");
  command->add_flag("--raw-sockets", words.raw_sockets, "Forbid raw and packet sockets");
  command->add_flag("--kernel-writes", words.kernel_writes,
                    "Forbid to write below /proc and /sys (needs BPF LSM)");
  command->add_flag("--tamper", words.tamper,
                    "Forbid to signal or trace the sensor (needs BPF LSM)");
  command->add_flag("--kill", words.kills, "End the process as well");
  command->add_flag("--refuse", words.refuses, "Answer \"connection refused\"");
}

Result<v1::CreateOrderRequest> request_of(v1::OrderAction action, const Words& words) {
  v1::CreateOrderRequest request;
  v1::Order& order = *request.mutable_order();
  order.set_action(action);
  order.set_mode(words.monitors ? v1::ORDER_MODE_MONITOR : v1::ORDER_MODE_ENFORCE);
  v1::OrderMatch& match = *order.mutable_match();
  match.set_host_id(words.host);
  match.set_pid(words.pid);
  match.set_start_boottime_ns(words.start);
  match.set_exe(words.exe);
  match.set_agent_id(words.agent);
  match.set_user(words.user);
  match.set_cgroup(words.cgroup);
  match.set_container_id(words.container);
  match.mutable_addresses()->Add(words.addresses.begin(), words.addresses.end());
  match.mutable_ports()->Add(words.ports.begin(), words.ports.end());
  match.set_domain(words.domain);
  match.set_provider(words.provider);
  match.set_model(words.model);
  order.set_raw_sockets(words.raw_sockets);
  order.set_kernel_writes(words.kernel_writes);
  order.set_tamper(words.tamper);
  order.mutable_programs()->Add(words.programs.begin(), words.programs.end());
  order.mutable_write_folders()->Add(words.folders.begin(), words.folders.end());
  order.mutable_approved()->Add(words.approved.begin(), words.approved.end());
  order.mutable_egress()->Add(words.egress.begin(), words.egress.end());
  order.set_detection(words.detection);
  order.set_kill(words.kills);
  order.set_refuse(words.refuses);
  order.set_reason(words.reason);
  if (words.pid != 0 && words.host.empty())
    return fail(Errc::kInvalid, "--pid needs --host: a pid belongs to one host");
  AISPM_TRY(const std::uint32_t seconds, parse_span(words.valid_for));
  request.set_valid_seconds(seconds);
  return request;
}

void add_action(CLI::App& app, const char* name, v1::OrderAction action, const char* help,
                const Choose& choose) {
  auto* const command = app.add_subcommand(name, help);
  const auto words = std::make_shared<Words>();
  add_subject(command, *words);
  const bool is_total = action == v1::ORDER_ACTION_QUARANTINE || action == v1::ORDER_ACTION_KILL;
  if (!is_total) add_destination(command, *words);
  if (action == v1::ORDER_ACTION_BLOCK) add_block_words(command, *words);
  command->add_flag("--monitor", words->monitors, "Only report what would be refused");
  command->add_option("--for", words->valid_for, "Ends by itself: 30s, 10m, 8h, 7d");
  command->add_option("--reason", words->reason, "For people; shown with every effect");
  command->callback([words, action, choose] {
    choose([words, action](Client& client, const Output& output) -> Result<> {
      AISPM_TRY(auto request, request_of(action, *words));
      return create_order(client, std::move(request), output);
    });
  });
}

}  // namespace

void add_order_commands(CLI::App& app, const Choose& choose) {
  add_action(
      app, "block", v1::ORDER_ACTION_BLOCK,
      "Refuse connections (or programs, sockets, writes) on all hosts, at once. Options about "
      "processes must all fit; destinations are alternatives",
      choose);
  add_action(app, "allow", v1::ORDER_ACTION_ALLOW,
             "An exception from blocks; never from quarantine or kill", choose);
  add_action(app, "quarantine", v1::ORDER_ACTION_QUARANTINE,
             "No connection, no new program, no write; open connections are cut", choose);
  add_action(
      app, "kill", v1::ORDER_ACTION_KILL,
      "End what fits on hosts with a sensor, and whatever of it starts again. The kill switch for "
      "everything, gateways and sandboxes too, is `aispm freeze ... --kill`",
      choose);
  auto* const orders =
      app.add_subcommand("orders", "Orders in force and what each host makes of them");
  const auto with_past = std::make_shared<bool>(false);
  orders->add_flag("--past", *with_past, "Undone and expired ones too");
  orders->callback([choose, with_past] {
    choose([with_past](Client& client, const Output& output) {
      return list_orders(client, *with_past, 0, output);
    });
  });
  auto* const undo = app.add_subcommand("undo", "Withdraw an order, at once");
  const auto id = std::make_shared<std::string>();
  undo->add_option("order", *id, "Its id as `aispm orders` shows it")->required();
  undo->callback([choose, id] {
    choose([id](Client& client, const Output& output) { return undo_order(client, *id, output); });
  });
}

}  // namespace aispm::cli
