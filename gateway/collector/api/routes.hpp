// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <google/protobuf/descriptor.h>

#include <optional>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "gateway/collector/role.hpp"
#include "sdk/core/common/result.hpp"

// REST as options.proto describes it, read from the descriptors and from nothing else. Pure and
// thread-safe.
namespace aispm::collector::api {

struct Segment {
  std::string text;  // literal, or the name of a request field
  bool is_field = false;
};

struct Route {
  std::string verb;  // "GET", "POST", "DELETE"
  std::string path;  // as in the proto
  std::vector<Segment> segments;
  Role role = Role::kAdmin;
  const google::protobuf::MethodDescriptor* method = nullptr;
};

// kInternal for a method without path or role, or a template that names a field that does not exist
// or is not text: the program does not start then, so that nothing is served unguarded.
Result<std::vector<Route>> read_routes(const google::protobuf::ServiceDescriptor& service);

struct Match {
  const Route* route = nullptr;
  std::vector<std::pair<std::string, std::string>> fields;  // from the path, decoded
};

// `path` is the target without its query. kNotFound; kUnsupported when the path exists with other
// verbs only.
Result<Match> match(const std::vector<Route>& routes, std::string_view verb, std::string_view path);

// Percent decoding; `plus_is_space` for queries. nullopt for a bad escape or an escaped NUL.
std::optional<std::string> decode_percent(std::string_view text, bool plus_is_space);

}  // namespace aispm::collector::api
