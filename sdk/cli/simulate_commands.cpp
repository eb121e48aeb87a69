// SPDX-License-Identifier: Apache-2.0
#include "sdk/cli/simulate_commands.hpp"

#include <CLI/CLI.hpp>

#include "sdk/cli/simulate.hpp"

namespace aispm::cli {
namespace {

using Local = std::function<void(LocalAction)>;
using Remote = std::function<void(Action)>;

constexpr const char* kRegistryHelp =
    "Folder of the collector's registry (`aispm policy show aispm.registry --out FOLDER`), which "
    "counts beside the\nbundle as in gateways; without --events the collector's own counts";

void add_simulate(CLI::App* policy, const Local& local, const Remote& remote) {
  const auto words = std::make_shared<SimulateWords>();
  auto* const command = policy->add_subcommand(
      "simulate",
      "Judge recorded decisions by a candidate: what flips, for whom, with examples. Exit status: "
      "0 "
      "nothing flips, 3 something\nbecomes stricter, 4 something becomes looser");
  command->add_option("candidate", words->candidate,
                      "Folder of a bundle, or a policy of the collector: ID or ID@VERSION");
  command->add_option("--texts", words->texts,
                      "Rules over detections (as policies/rules) for recorded model calls");
  auto* const events = command->add_option(
      "--events", words->events,
      "File of events instead of the collector: `aispm events --json`, or one event a line");
  command->add_option("--last", words->last, "How far back, such as 24h or 7d; at most 30d")
      ->capture_default_str()
      ->excludes(events);
  command->add_option("--agent", words->agent, "Only this agent; * and ? as in globs");
  command->add_option("--registry", words->registry, kRegistryHelp)->needs(events);
  command->callback([words, local, remote] {
    if (!words->events.empty())
      return local([words](const Output& output) { return simulate_file(*words, output); });
    remote([words](Client& client, const Output& output) {
      return simulate_recorded(client, *words, output);
    });
  });
}

void add_explain(CLI::App* policy, const Local& local, const Remote& remote) {
  const auto words = std::make_shared<ExplainWords>();
  auto* const command = policy->add_subcommand("explain",
                                               "Why something was decided: rule, its place, what "
                                               "it asked about, what would have led elsewhere");
  command->add_option("decision", words->id, "Id of the event, or of the approval it asked for")
      ->required();
  auto* const events =
      command->add_option("--events", words->events, "File of events instead of the collector");
  command->add_option("--bundle", words->bundle, "Folder of the version that decided")
      ->needs(events);
  command->add_option("--registry", words->registry, kRegistryHelp)->needs(events);
  command->callback([words, local, remote] {
    if (!words->events.empty())
      return local([words](const Output& output) { return explain_in_file(*words, output); });
    remote([words](Client& client, const Output& output) {
      return explain_recorded(client, *words, output);
    });
  });
}

void add_learn(CLI::App* policy, const Local& local, const Remote& remote) {
  const auto words = std::make_shared<LearnWords>();
  auto* const command =
      policy->add_subcommand("learn",
                             "Propose the narrowest rules under which an agent could do what it "
                             "did; a person reads them before use");
  command->add_option("agent", words->agent, "Name of the agent")->required();
  auto* const events =
      command->add_option("--events", words->events, "File of events instead of the collector");
  command->add_option("--last", words->last, "How far back, such as 24h or 7d; at most 30d")
      ->capture_default_str()
      ->excludes(events);
  command->add_option("--out", words->out, "Write the files into this new folder");
  command->callback([words, local, remote] {
    if (!words->events.empty())
      return local([words](const Output& output) { return learn_from_file(*words, output); });
    remote([words](Client& client, const Output& output) {
      return learn_recorded(client, *words, output);
    });
  });
}

}  // namespace

void add_simulate_commands(CLI::App& app, const Local& local, const Remote& remote) {
  CLI::App* const policy = app.get_subcommand("policy");
  add_simulate(policy, local, remote);
  add_explain(policy, local, remote);
  add_learn(policy, local, remote);
}

}  // namespace aispm::cli
