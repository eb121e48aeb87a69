// SPDX-License-Identifier: Apache-2.0
#pragma once

#include "sdk/core/common/yaml.hpp"
#include "sensor/discover/options.hpp"

namespace aispm::sensor {

// The map `discovery`; what is wrong is rejected in it.
DiscoveryOptions read_discovery(const YamlMap& map);

}  // namespace aispm::sensor
