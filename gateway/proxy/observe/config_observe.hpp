// SPDX-License-Identifier: Apache-2.0
#pragma once

#include "gateway/proxy/observe/observe_config.hpp"
#include "sdk/core/common/yaml.hpp"

namespace aispm::gateway {

// Reads the sections `scan:` and `observe:`; errors go to `root`.
ObserveConfig read_observe(const YamlMap& root);

// Reads `listen`, `token_file` and `allow_remote` of the section `admin:`.
AdminPortConfig read_admin_port(const YamlMap& admin);

}  // namespace aispm::gateway
