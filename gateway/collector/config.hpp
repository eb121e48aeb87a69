// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <chrono>
#include <cstdint>
#include <string>
#include <vector>

#include "gateway/collector/notifier.hpp"
#include "sdk/core/common/result.hpp"
#include "sdk/core/common/secret.hpp"

namespace aispm::collector {

struct Retention {
  std::chrono::hours max_age{24 * 90};
  std::uint64_t max_bytes = 20ULL << 30;
};

// `redteam:`: which gateway operators may attack by the API, and as which agent.
struct RedTeamConfig {
  std::string gateway;   // "http://127.0.0.1:8088"; "" = none
  std::string key_file;  // of an agent's key
  std::string ca_file;   // of an https gateway; "" = the system's store
  std::string program;   // folder of the program; "" = the installed one
};

// What collector.yaml says. Everything has a default; an unknown key is an error.
struct Config {
  std::string state_folder;                     // store, keys and certificates; made with mode 0700
  std::string grpc_address = "127.0.0.1:7443";  // "host:port"
  std::string http_address = "127.0.0.1";
  std::uint16_t http_port = 7080;
  std::vector<std::string> names;  // further names of this host in the server certificate
  std::string tenant = "default";
  std::string dashboard_folder;  // instead of the embedded dashboard
  Retention retention;
  std::vector<NotifyConfig> receivers;  // who is told that somebody is asked
  std::uint32_t stale_days = 30;        // more whole days without a sign make an asset stale
  // Of policies that are pushed: a signature by one of these keys (PEM) must hold where there is
  // one; where it is demanded there must be one.
  std::vector<std::string> policy_keys;
  bool policies_must_be_signed = false;
  Secret registry_key;  // private key (PEM) that signs the registry; empty: nothing does
  RedTeamConfig redteam;
};

// Errors read `file:line: what is wrong, what is allowed`.
Result<Config> load_config(const std::string& path);
Result<Config> parse_config(const std::string& content, const std::string& name);

}  // namespace aispm::collector
