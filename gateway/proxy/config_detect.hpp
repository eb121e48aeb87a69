// SPDX-License-Identifier: Apache-2.0
#pragma once

#include "gateway/proxy/config.hpp"
#include "sdk/core/common/yaml.hpp"

namespace aispm::gateway {

// One line of visible ASCII, fit for a header.
bool is_header_value(std::string_view text);

// The secret that NAME_file or NAME_env name; "" when neither is given. `missing` says why one that
// should be there is not, which is no error of the file.
Secret read_secret(const YamlMap& map, const std::string& name, std::string& missing);

// An endpoint whose origin may have a base path, and the cloud service that it is.
void read_provider_endpoint(const YamlMap& map, ProviderConfig& provider);

// Origin, ca_file, key and allow_private of a server that is called; errors go to `map`.
void read_endpoint(const YamlMap& map, ProviderConfig& endpoint, bool may_have_path = false);

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
