// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <optional>
#include <string>
#include <string_view>

#include "sdk/core/common/result.hpp"

// How clients tell apart what many servers offer behind one endpoint. Pure.
namespace aispm::gateway {

// Of a tool or prompt: 1 to kMaxMcpName letters, digits, `_`, `-`, `.` and `/`.
inline constexpr std::size_t kMaxMcpName = 128;
bool is_mcp_name(std::string_view name);

// "weather" and "forecast" are `weather__forecast` to clients: tools and prompts.
std::string prefixed_name(std::string_view server, std::string_view name);
struct NameAddress {
  std::string_view server;
  std::string_view name;
};
// Nothing when there is no prefix.
std::optional<NameAddress> split_name(std::string_view name);

// "files" and "file:///a" are `mcp+files+file:///a` to clients. Names of servers have no `+`, so
// this can be read in one way only; of a template the prefix is kept by whatever it expands to.
std::string prefixed_uri(std::string_view server, std::string_view uri);
struct UriAddress {
  std::string_view server;
  std::string_view uri;
};
// Nothing when there is no prefix, or nothing after it.
std::optional<UriAddress> split_uri(std::string_view uri);

// Whether a path of the URI has a segment `.` or `..`, encoded or not: it may mean something else
// than its text says, so globs cannot judge it.
bool has_dot_segment(std::string_view uri);

// A server's result with the URIs of resources in it as clients know them: those of contents, of
// links and of what is embedded in tools' and prompts' content. kInvalid: not JSON that can only be
// read in one way.
Result<std::string> prefix_uris(std::string_view server, std::string_view result);

}  // namespace aispm::gateway
