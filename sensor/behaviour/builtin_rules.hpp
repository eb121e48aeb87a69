// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <string>

namespace aispm::sensor {

// Content of policies/behaviour/default.yaml as this version was built with it.
std::string builtin_behaviour_rules();
// Content of policies/detect/secrets.yaml.
std::string builtin_secret_rules();

}  // namespace aispm::sensor
