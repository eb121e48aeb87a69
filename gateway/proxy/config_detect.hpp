// SPDX-License-Identifier: Apache-2.0
#pragma once

#include "gateway/proxy/config.hpp"
#include "sdk/core/common/yaml.hpp"

namespace aispm::gateway {

// Reads the `detect:` section; errors go to `map`.
DetectConfig read_detect(const YamlMap& map);

}  // namespace aispm::gateway
