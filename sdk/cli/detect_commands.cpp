// SPDX-License-Identifier: Apache-2.0
#include <CLI/CLI.hpp>
#include <memory>

#include "sdk/cli/gateway_rules.hpp"

namespace aispm::cli {
namespace {

struct Words {
  std::string socket = kAdminSocket;
  std::string tenant;
  std::string file = "-";
};

}  // namespace

void add_detect_commands(CLI::App& app, const std::function<void(LocalAction)>& choose) {
  auto* const rules =
      app.add_subcommand("detect", "Detection at the gateway of this host")
          ->require_subcommand(1)
          ->add_subcommand("rules", "Rules that tenants have beside everybody's, while it runs")
          ->require_subcommand(1);
  const auto words = std::make_shared<Words>();
  using Do = Result<> (*)(const Words&, const Output&);
  const auto add = [&](const char* name, const char* help, Do action) {
    auto* const command = rules->add_subcommand(name, help);
    command->add_option("--socket", words->socket, "admin.socket of gateway.yaml")
        ->capture_default_str();
    command->callback([choose, words, action] {
      choose([words, action](const Output& output) { return action(*words, output); });
    });
    return command;
  };
  add("list", "Tenants that were given rules",
      [](const Words& w, const Output& o) { return list_tenant_rules(w.socket, o); });
  const auto with_tenant = [&](CLI::App* command) {
    command->add_option("tenant", words->tenant, "As the agent's key says")->required();
    return command;
  };
  with_tenant(add("show", "The rules as they were given", [](const Words& w, const Output& o) {
    return show_tenant_rules(w.socket, w.tenant, o);
  }));
  with_tenant(add("set", "Check and compile a pack, run its examples, and put it in force at once",
                  [](const Words& w, const Output& o) {
                    return set_tenant_rules(w.socket, w.tenant, w.file, o);
                  }))
      ->add_option("file", words->file, "The pack (YAML), - for standard input")
      ->capture_default_str();
  with_tenant(add("remove", "Take them away again", [](const Words& w, const Output& o) {
    return remove_tenant_rules(w.socket, w.tenant, o);
  }));
}

}  // namespace aispm::cli
