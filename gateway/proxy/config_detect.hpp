// SPDX-License-Identifier: Apache-2.0
#pragma once

#include "gateway/proxy/config.hpp"
#include "sdk/core/common/yaml.hpp"

namespace aispm::gateway {

// Origin, ca_file, key and allow_private of a server that is called; errors go to `map`.
void read_endpoint(const YamlMap& map, ProviderConfig& endpoint);

// Reads the `tenants:` section, a map by name.
Tenants read_tenants(const YamlMap& map);

// Reads the `mcp:` section; errors go to `map`.
McpConfig read_mcp(const YamlMap& map);

// Reads the sections `routes:` and `traffic:` of `root`, whose providers and limits were read.
TrafficConfig read_traffic(const YamlMap& root, const Config& config);

// Reads `mcp.web`, into `mcp` and as the gateway's own server there; errors go to `map`.
McpServerConfig read_web(const YamlMap& map, McpConfig& mcp);

// Reads the `detect:` section; errors go to `map`.
DetectConfig read_detect(const YamlMap& map);

}  // namespace aispm::gateway
