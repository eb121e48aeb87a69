// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <string>
#include <vector>

#include "sdk/core/common/yaml.hpp"
#include "sdk/core/model/order.hpp"
#include "sensor/decide/decider.hpp"

namespace aispm::sensor {

// The part `enforce:` of sensord.yaml.
struct EnforceConfig {
  bool is_off = false;        // no order is obeyed, pins that are left are removed
  bool may_enforce = true;    // false: every order only reports
  bool keeps_on_stop = true;  // rules stay in force when the daemon is stopped
  bool uses_lsm = true;
  std::string pins = "/sys/fs/bpf/aispm";  // empty: nothing outlives the daemon
  std::string detect_rules;  // folder of rules for orders that look into prompts; empty: secrets
  Protected protects;
  std::vector<model::Order> rules;  // their ids start with "local."
};

// Errors are kept in `root`, for its finish().
EnforceConfig read_enforce(const YamlMap& root);
// What no order can touch when the configuration does not say otherwise.
std::vector<std::string> default_protected_executables();

}  // namespace aispm::sensor
