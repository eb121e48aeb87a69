// SPDX-License-Identifier: Apache-2.0
#include "gateway/collector/api/routes.hpp"

#include "aispm/v1/options.pb.h"

namespace aispm::collector::api {
namespace {

namespace pb = aispm::v1;
using google::protobuf::FieldDescriptor;

std::vector<std::string_view> split(std::string_view path) {
  std::vector<std::string_view> parts;
  while (!path.empty() && path.front() == '/') {
    path.remove_prefix(1);
    const auto end = path.find('/');
    parts.push_back(path.substr(0, end));
    path.remove_prefix(std::min(end, path.size()));
  }
  return parts;
}

Result<std::vector<Segment>> parse_template(const google::protobuf::MethodDescriptor& method,
                                            const std::string& path) {
  std::vector<Segment> segments;
  for (const std::string_view part : split(path)) {
    if (!part.starts_with('{')) {
      segments.push_back({std::string(part), false});
      continue;
    }
    const std::string name(part.substr(1, part.size() - 2));
    const auto* const field = method.input_type()->FindFieldByName(name);
    if (!part.ends_with('}') || field == nullptr || field->type() != FieldDescriptor::TYPE_STRING ||
        field->is_repeated())
      return fail(Errc::kInternal, method.full_name() + ": " + path + ": {" + name +
                                       "} is no text field of the request");
    segments.push_back({name, true});
  }
  return segments;
}

Result<Route> read_route(const google::protobuf::MethodDescriptor& method) {
  const pb::RestRule& rule = method.options().GetExtension(pb::rest);
  Route route;
  route.method = &method;
  switch (rule.path_case()) {
    case pb::RestRule::kGet:
      route.verb = "GET";
      route.path = rule.get();
      break;
    case pb::RestRule::kPost:
      route.verb = "POST";
      route.path = rule.post();
      break;
    case pb::RestRule::kDelete:
      route.verb = "DELETE";
      route.path = rule.delete_();
      break;
    case pb::RestRule::PATH_NOT_SET:
      return fail(Errc::kInternal, method.full_name() + ": has no REST path");
  }
  const auto role = parse_role(rule.role());
  if (!role)
    return fail(Errc::kInternal, method.full_name() + ": role must be viewer, operator or admin");
  route.role = *role;
  AISPM_TRY(route.segments, parse_template(method, route.path));
  if (method.client_streaming())
    return fail(Errc::kInternal, method.full_name() + ": takes a stream");
  return route;
}

}  // namespace

Result<std::vector<Route>> read_routes(const google::protobuf::ServiceDescriptor& service) {
  std::vector<Route> routes;
  for (int i = 0; i < service.method_count(); ++i) {
    AISPM_TRY(routes.emplace_back(), read_route(*service.method(i)));
  }
  return routes;
}

std::optional<std::string> decode_percent(std::string_view text, bool plus_is_space) {
  const auto digit = [](char c) {
    if (c >= '0' && c <= '9') return c - '0';
    if (c >= 'a' && c <= 'f') return c - 'a' + 10;
    if (c >= 'A' && c <= 'F') return c - 'A' + 10;
    return -1;
  };
  std::string decoded;
  for (std::size_t i = 0; i < text.size(); ++i) {
    if (text[i] == '+' && plus_is_space) {
      decoded += ' ';
    } else if (text[i] != '%') {
      decoded += text[i];
    } else {
      if (text.size() - i < 3 || digit(text[i + 1]) < 0 || digit(text[i + 2]) < 0)
        return std::nullopt;
      const int value = digit(text[i + 1]) << 4 | digit(text[i + 2]);
      if (value == 0) return std::nullopt;
      decoded += static_cast<char>(value);
      i += 2;
    }
  }
  return decoded;
}

Result<Match> match(const std::vector<Route>& routes, std::string_view verb,
                    std::string_view path) {
  const auto parts = split(path);
  bool is_other_verb = false;
  for (const Route& route : routes) {
    if (route.segments.size() != parts.size()) continue;
    Match found{&route, {}};
    bool is_match = true;
    for (std::size_t i = 0; is_match && i < parts.size(); ++i) {
      if (!route.segments[i].is_field) {
        is_match = route.segments[i].text == parts[i];
        continue;
      }
      auto value = decode_percent(parts[i], false);
      is_match = value && !value->empty();
      if (is_match) found.fields.emplace_back(route.segments[i].text, std::move(*value));
    }
    if (is_match && route.verb == verb) return found;
    is_other_verb = is_other_verb || is_match;
  }
  if (is_other_verb)
    return fail(Errc::kUnsupported, "this path does not take " + std::string(verb));
  return fail(Errc::kNotFound, "no such path");
}

}  // namespace aispm::collector::api
