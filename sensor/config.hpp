// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <chrono>
#include <cstdint>
#include <string>
#include <vector>

#include "sdk/core/common/result.hpp"
#include "sdk/core/common/secret.hpp"
#include "sensor/capture/capture.hpp"
#include "sensor/discover/options.hpp"
#include "sensor/enforce_config.hpp"
#include "sensor/model/gateway_place.hpp"
#include "sensor/pool_process.hpp"

namespace aispm::sensor {

// sensord.yaml. Every key is optional; unknown keys are errors.
struct Config {
  std::string collector = "127.0.0.1:7443";
  std::string state_folder = "/var/lib/aispm/sensord";
  Secret enrolment_token;  // `enrolment_token`, or the content of `enrolment_token_file`
  std::uint64_t spool_cap_bytes = 256U << 20;
  CaptureMode capture = CaptureMode::kAuto;
  RingSizes rings;
  std::string signatures;  // folder that adds to the built-in signatures; may be empty
  DiscoveryOptions discovery;
  std::string fingerprints;  // folder of what stripped programs are known by; empty = built-in
  bool store_text = false;   // prompt and reply text in events; hashes always
  std::vector<GatewayPlace> gateways;               // `gateway`: where sanctioned calls go
  std::vector<std::string> sanctioned_executables;  // AI use by these is sanctioned
  std::chrono::milliseconds health_interval{5000};
  EnforceConfig enforce;
  PoolConfig pool;  // of warm sandboxes, for `aispm-run --pool`

  std::string behaviour_rules;  // file; empty = the built-in ones
  std::chrono::seconds baseline_learning{86'400};
  bool finds_secrets =
      true;  // in arguments and environments; false: arguments are sent as they are
};

// kInvalid with `file:line: what is wrong, what is allowed`.
Result<Config> load_config(const std::string& path);
Result<Config> parse_config(const std::string& content, const std::string& name);

}  // namespace aispm::sensor
