// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <functional>
#include <string>
#include <vector>

#include "sdk/cli/commands.hpp"

namespace CLI {
class App;
}

// `aispm policy ...`: bundles on this host. Asks no collector.
namespace aispm::cli {

using LocalAction = std::function<Result<>(const Output&)>;

// Adds the subcommand; `choose` takes what the parsed command line asks for.
void add_policy_commands(CLI::App& app, const std::function<void(LocalAction)>& choose);

struct TrustedKeys {
  std::vector<std::string> files;  // public keys, PEM
  bool must_be_signed = false;
};

// Prints what a bundle holds, or says what is wrong with it and where.
Result<> check_bundle(const std::string& folder, const TrustedKeys& keys, const Output& output);
// Writes PREFIX.key (mode 0600) and PREFIX.pub; never over a file that is there.
Result<> make_policy_keys(const std::string& prefix, const Output& output);
// Compiles the bundle first: what does not work is not signed.
Result<> sign_policy(const std::string& folder, const std::string& key_file, const Output& output);
Result<> verify_policy(const std::string& folder, const TrustedKeys& keys, const Output& output);
// `action_file`: JSON of one action, `-` for standard input.
// `registry`: folder of the collector's registry, which counts beside the bundle; "" = none.
Result<> decide_action(const std::string& folder, const std::string& registry,
                       const std::string& action_file, const Output& output);
Result<> decide_command(const std::string& folder, const std::string& command,
                        const Output& output);
// "actions, commands, ...": files of a bundle that have a schema, without ending.
std::string names_of_schemas();
// The JSON Schema of one of them.
Result<> print_schema(const std::string& name, const Output& output);
Result<> evaluate_rego(const std::string& folder, const std::string& rule,
                       const std::string& input_file, const Output& output);

}  // namespace aispm::cli
