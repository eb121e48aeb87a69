// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <string>
#include <string_view>

#include "gateway/proxy/config.hpp"
#include "sdk/core/common/time.hpp"

// The MCP endpoint as a protected resource of OAuth 2. Pure.
namespace aispm::gateway {

// Where RFC 9728 puts what a resource says of itself.
inline constexpr std::string_view kMetadataPath = "/.well-known/oauth-protected-resource";

// Which agent an access token speaks for. kDenied says why for none: not signed by one of the keys,
// of another issuer, for another resource, over or not begun, without an acceptable agent.
Result<std::string> check_mcp_token(const McpAuthorization& config, std::string_view token,
                                    WallTime now);

// The document: JSON.
std::string describe_resource(const McpAuthorization& config);
// The value of WWW-Authenticate for a client that showed a token that is no good, or none.
std::string challenge_for(const McpAuthorization& config, bool showed_token);

}  // namespace aispm::gateway
