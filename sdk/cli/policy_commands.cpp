// SPDX-License-Identifier: Apache-2.0
#include "sdk/cli/policy_commands.hpp"

#include <CLI/CLI.hpp>
#include <memory>

namespace aispm::cli {
namespace {

struct Words {
  std::string folder;
  TrustedKeys keys;
  std::string key_file;
  std::string prefix;
  std::string action_file = "-";
  std::string registry;
  std::string input_file = "-";
  std::string command;
  std::string rule;
  std::string schema;
};

using Choose = std::function<void(LocalAction)>;
using Do = std::function<Result<>(const Words&, const Output&)>;

CLI::App* add(CLI::App* policy, const Choose& choose, const std::shared_ptr<Words>& words,
              const char* name, const char* help, Do action) {
  auto* const command = policy->add_subcommand(name, help);
  command->callback([choose, words, action = std::move(action)] {
    choose([words, action](const Output& output) { return action(*words, output); });
  });
  return command;
}

void add_folder(CLI::App* command, Words& words) {
  command->add_option("bundle", words.folder, "Folder of the bundle")->required();
}

void add_keys(CLI::App* command, Words& words) {
  command->add_option("--key", words.keys.files,
                      "Public key that is trusted (PEM); may be repeated");
}

}  // namespace

void add_policy_commands(CLI::App& app, const Choose& choose) {
  auto* const policy = app.add_subcommand(
      "policy",
      "Policy bundles: on this host check, sign, and ask what they decide; in the collector keep, "
      "compare and put them in force");
  policy->require_subcommand(1);
  const auto words = std::make_shared<Words>();
  auto* const check =
      add(policy, choose, words, "check", "Compile a bundle; errors name file, line and column",
          [](const Words& w, const Output& o) { return check_bundle(w.folder, w.keys, o); });
  add_folder(check, *words);
  add_keys(check, *words);
  check->add_flag("--signed", words->keys.must_be_signed,
                  "Refuse a bundle that no trusted key signed");
  auto* const keygen =
      add(policy, choose, words, "keygen", "Make an Ed25519 key pair: PREFIX.key and PREFIX.pub",
          [](const Words& w, const Output& o) { return make_policy_keys(w.prefix, o); });
  keygen->add_option("prefix", words->prefix, "Path without ending")->required();
  auto* const sign =
      add(policy, choose, words, "sign", "Write bundle.sig over all files of the bundle",
          [](const Words& w, const Output& o) { return sign_policy(w.folder, w.key_file, o); });
  add_folder(sign, *words);
  sign->add_option("--key", words->key_file, "Private key (PEM)")->required();
  auto* const verify =
      add(policy, choose, words, "verify", "Tell whether a trusted key signed just these files",
          [](const Words& w, const Output& o) { return verify_policy(w.folder, w.keys, o); });
  add_folder(verify, *words);
  add_keys(verify, *words);
  auto* const decide =
      add(policy, choose, words, "decide", "What a bundle says of one action, and why",
          [](const Words& w, const Output& o) {
            return decide_action(w.folder, w.registry, w.action_file, o);
          });
  add_folder(decide, *words);
  decide->add_option(
      "--action", words->action_file,
      "JSON file, - for standard input: tool, arguments, text, agent, agent_type, "
      "roles, trust, environment, "
      "provider, model, destination, surface, tool_provider, labels, scopes, posture, "
      "signals, intent, definition");
  decide->add_option("--registry", words->registry,
                     "Folder of the collector's registry (`aispm policy show aispm.registry --out "
                     "FOLDER`), which counts\nbeside the bundle as in gateways");
  auto* const command =
      add(policy, choose, words, "command",
          "What the rules over commands say to one shell command line, and why",
          [](const Words& w, const Output& o) { return decide_command(w.folder, w.command, o); });
  add_folder(command, *words);
  command->add_option("command", words->command, "The command line, as one argument")->required();
  auto* const schema =
      add(policy, choose, words, "schema", "The JSON Schema of a bundle's file, for editors",
          [](const Words& w, const Output& o) { return print_schema(w.schema, o); });
  schema->add_option("file", words->schema, "One of " + names_of_schemas())->required();
  auto* const evaluate = add(policy, choose, words, "evaluate", "The value of a Rego rule, as JSON",
                             [](const Words& w, const Output& o) {
                               return evaluate_rego(w.folder, w.rule, w.input_file, o);
                             });
  add_folder(evaluate, *words);
  evaluate->add_option("rule", words->rule, "Such as data.aispm.tools.decision")->required();
  evaluate->add_option("--input", words->input_file, "JSON file, - for standard input");
}

}  // namespace aispm::cli
