// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <functional>
#include <optional>
#include <string>
#include <vector>

#include "sdk/core/common/result.hpp"
#include "sdk/core/common/secret.hpp"

namespace aispm::cli {

// Where the collector is and who asks.
struct Settings {
  std::string collector;  // "host:port"
  std::string ca_pem;
  Secret token;
};

// What the command line gave; empty means not given.
struct Flags {
  std::string collector;
  std::string ca_file;
  std::string token_file;
  std::string config;
};

// Reads one environment variable; empty when it is not set.
using Environment = std::function<std::string(const std::string&)>;
Environment process_environment();

// Each value from the first that has it: flag, environment (AISPM_COLLECTOR, AISPM_CA_FILE,
// AISPM_TOKEN), then ONE file: --config, else $AISPM_CLI_CONFIG, else the first that exists of
// config_files(). Tokens are never taken from the command line, where every user of the host could
// read them. kInvalid says what is missing and where it can be given.
Result<Settings> resolve_settings(const Flags& flags, const Environment& environment);

// ~/.config/aispm/cli.yaml, /etc/aispm/cli.yaml, <state folder>/cli.yaml
std::vector<std::string> config_files(const Environment& environment);

}  // namespace aispm::cli
