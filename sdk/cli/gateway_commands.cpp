// SPDX-License-Identifier: Apache-2.0
#include <CLI/CLI.hpp>
#include <memory>

#include "sdk/cli/gateway_providers.hpp"

namespace aispm::cli {
namespace {

struct Words {
  std::string socket = kAdminSocket;
  std::string name;
  std::string origin;
};

}  // namespace

void add_gateway_commands(CLI::App& app, const std::function<void(LocalAction)>& choose) {
  auto* const providers = app.add_subcommand("gateway", "The gateway of this host, while it runs")
                              ->require_subcommand(1)
                              ->add_subcommand("providers", "Where it sends requests to models")
                              ->require_subcommand(1);
  const auto words = std::make_shared<Words>();
  using Do = Result<> (*)(const Words&, const Output&);
  const auto add = [&](const char* name, const char* help, Do action) {
    auto* const command = providers->add_subcommand(name, help);
    command->add_option("--socket", words->socket, "admin.socket of gateway.yaml")
        ->capture_default_str();
    command->callback([choose, words, action] {
      choose([words, action](const Output& output) { return action(*words, output); });
    });
    return command;
  };
  const auto with_name = [&](CLI::App* command) {
    command->add_option("name", words->name, "As gateway.yaml calls it")->required();
    return command;
  };
  add("list", "Who they are, where they stand and how they fare",
      [](const Words& w, const Output& o) { return list_providers(w.socket, o); });
  add("reload", "Read them and their keys from the configuration file anew; in force at once",
      [](const Words& w, const Output& o) { return reload_providers(w.socket, o); });
  with_name(add("set",
                "Send one's requests, with its key, to another origin until the gateway ends",
                [](const Words& w, const Output& o) {
                  return set_provider_origin(w.socket, w.name, w.origin, o);
                }))
      ->add_option("origin", words->origin, "https://host[:port][/path]")
      ->required();
  with_name(add(
      "unset", "Back to the origin that the file says",
      [](const Words& w, const Output& o) { return unset_provider_origin(w.socket, w.name, o); }));
}

}  // namespace aispm::cli
