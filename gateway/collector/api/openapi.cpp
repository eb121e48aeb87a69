// SPDX-License-Identifier: Apache-2.0
#include "gateway/collector/api/openapi.hpp"

#include <google/protobuf/descriptor.pb.h>

#include <boost/json.hpp>
#include <set>

#include "gateway/collector/api/routes.hpp"

namespace aispm::collector::api {
namespace {

namespace json = boost::json;
using google::protobuf::Descriptor;
using google::protobuf::FieldDescriptor;

constexpr std::string_view kTimestamp = "google.protobuf.Timestamp";
constexpr std::string_view kService = "aispm.v1.Operator";
constexpr std::string_view kRedTeam = "aispm.v1.RedTeam";

// The comment above (or behind) an element, as one paragraph.
template <typename Element>
std::string comment_of(const Element& element) {
  google::protobuf::SourceLocation location;
  if (!element.GetSourceLocation(&location)) return {};
  const std::string& raw =
      location.leading_comments.empty() ? location.trailing_comments : location.leading_comments;
  std::string text;
  for (const char c : raw) {
    if (c == '\n' || c == ' ') {
      if (!text.empty() && text.back() != ' ') text += ' ';
    } else {
      text += c;
    }
  }
  while (text.ends_with(' ')) text.pop_back();
  return text;
}

json::string reference(const Descriptor& message) {
  return json::string("#/components/schemas/" + message.name());
}

class Writer {
 public:
  json::object schemas;

  json::object field_schema(const FieldDescriptor& field) {
    if (field.is_map())
      return {{"type", "object"},
              {"additionalProperties", single_schema(*field.message_type()->map_value())}};
    if (field.is_repeated()) return {{"type", "array"}, {"items", single_schema(field)}};
    return single_schema(field);
  }

  json::object operation(const Route& route) {
    const auto& method = *route.method;
    json::object operation{{"operationId", method.name()}, {"tags", json::array{"Operator"}}};
    if (const std::string text = comment_of(method); !text.empty()) operation["summary"] = text;
    operation["x-aispm-role"] = std::string(name_of(route.role));
    if (json::array parameters = parameters_of(route); !parameters.empty())
      operation["parameters"] = std::move(parameters);
    if (route.verb == "POST") {
      add_message(*method.input_type());
      operation["requestBody"] = json::object{
          {"required", false},
          {"content",
           json::object{
               {"application/json",
                json::object{
                    {"schema", json::object{{"$ref", reference(*method.input_type())}}}}}}}};
    }
    add_message(*method.output_type());
    const char* const type = method.server_streaming() ? "text/event-stream" : "application/json";
    json::object content{
        {type, json::object{{"schema", json::object{{"$ref", reference(*method.output_type())}}}}}};
    operation["responses"] = json::object{
        {"200",
         json::object{{"description", method.server_streaming()
                                          ? "Server-sent events, one message per `data:` line."
                                          : "The answer."},
                      {"content", std::move(content)}}},
        {"default", json::object{{"$ref", "#/components/responses/Error"}}}};
    return operation;
  }

 private:
  json::object single_schema(const FieldDescriptor& field) {
    switch (field.type()) {
      case FieldDescriptor::TYPE_MESSAGE:
        if (field.message_type()->full_name() == kTimestamp)
          return {{"type", "string"}, {"format", "date-time"}};
        add_message(*field.message_type());
        return {{"$ref", reference(*field.message_type())}};
      case FieldDescriptor::TYPE_ENUM: {
        json::array names;
        for (int i = 0; i < field.enum_type()->value_count(); ++i)
          names.emplace_back(field.enum_type()->value(i)->name());
        return {{"type", "string"}, {"enum", std::move(names)}};
      }
      case FieldDescriptor::TYPE_STRING:
        return {{"type", "string"}};
      case FieldDescriptor::TYPE_BYTES:
        return {{"type", "string"}, {"contentEncoding", "base64"}};
      case FieldDescriptor::TYPE_BOOL:
        return {{"type", "boolean"}};
      case FieldDescriptor::TYPE_DOUBLE:
      case FieldDescriptor::TYPE_FLOAT:
        return {{"type", "number"}};
      case FieldDescriptor::TYPE_UINT32:
      case FieldDescriptor::TYPE_FIXED32:
        return {{"type", "integer"}, {"minimum", 0}, {"maximum", UINT32_MAX}};
      case FieldDescriptor::TYPE_INT32:
      case FieldDescriptor::TYPE_SINT32:
      case FieldDescriptor::TYPE_SFIXED32:
        return {{"type", "integer"}, {"format", "int32"}};
      // proto3 JSON: a double could not hold them, so they are digits in a string.
      case FieldDescriptor::TYPE_UINT64:
      case FieldDescriptor::TYPE_FIXED64:
        return {{"type", "string"}, {"format", "uint64"}, {"pattern", "^[0-9]+$"}};
      default:
        return {{"type", "string"}, {"format", "int64"}, {"pattern", "^-?[0-9]+$"}};
    }
  }

  void add_message(const Descriptor& message) {
    if (!known_.insert(message.full_name()).second) return;
    json::object properties;
    for (int i = 0; i < message.field_count(); ++i) {
      json::object schema = field_schema(*message.field(i));
      std::string text = comment_of(*message.field(i));
      if (const auto* const oneof = message.field(i)->real_containing_oneof(); oneof != nullptr)
        text += (text.empty() ? "" : " ") + std::string("At most one field of the group `") +
                oneof->name() + "` is present.";
      if (!text.empty()) schema["description"] = text;
      properties[message.field(i)->name()] = std::move(schema);
    }
    json::object schema{{"type", "object"}, {"properties", std::move(properties)}};
    if (const std::string text = comment_of(message); !text.empty()) schema["description"] = text;
    schemas[message.name()] = std::move(schema);
  }

  json::array parameters_of(const Route& route) {
    json::array parameters;
    std::set<std::string> in_path;
    for (const Segment& segment : route.segments)
      if (segment.is_field) in_path.insert(segment.text);
    const Descriptor& input = *route.method->input_type();
    for (int i = 0; i < input.field_count(); ++i) {
      const FieldDescriptor& field = *input.field(i);
      const bool is_path = in_path.contains(field.name());
      if (!is_path && route.verb == "POST") continue;
      json::object parameter{{"name", field.name()},
                             {"in", is_path ? "path" : "query"},
                             {"required", is_path},
                             {"schema", field_schema(field)}};
      if (const std::string text = comment_of(field); !text.empty())
        parameter["description"] = text;
      parameters.push_back(std::move(parameter));
    }
    return parameters;
  }

  std::set<std::string> known_;
};

json::object error_schema() {
  return {{"type", "object"},
          {"required", json::array{"error"}},
          {"properties",
           json::object{
               {"error",
                json::object{{"type", "object"},
                             {"required", json::array{"code", "message"}},
                             {"properties",
                              json::object{{"code", json::object{{"type", "string"}}},
                                           {"message", json::object{{"type", "string"}}}}}}}}}};
}

json::object describe(const google::protobuf::ServiceDescriptor& service,
                      std::string_view version) {
  return {{"title", "AISPM collector"},
          {"version", std::string(version)},
          {"description", comment_of(service)}};
}

std::string lower(std::string text) {
  for (char& c : text) c = static_cast<char>(c >= 'A' && c <= 'Z' ? c + 32 : c);
  return text;
}

}  // namespace

Result<std::string> make_openapi(std::string_view descriptor_set, std::string_view version) {
  google::protobuf::FileDescriptorSet files;
  if (!files.ParseFromArray(descriptor_set.data(), static_cast<int>(descriptor_set.size())))
    return fail(Errc::kInternal, "openapi: the descriptor set does not parse");
  google::protobuf::DescriptorPool pool;
  for (const auto& file : files.file())
    if (pool.BuildFile(file) == nullptr)
      return fail(Errc::kInternal, "openapi: " + file.name() + " does not build");
  const auto* const service = pool.FindServiceByName(std::string(kService));
  const auto* const redteam = pool.FindServiceByName(std::string(kRedTeam));
  if (service == nullptr || redteam == nullptr)
    return fail(Errc::kInternal, "openapi: no service " + std::string(kService));
  AISPM_TRY(auto routes, read_routes(*service));
  AISPM_TRY(auto attacks, read_routes(*redteam));
  std::move(attacks.begin(), attacks.end(), std::back_inserter(routes));
  Writer writer;
  json::object paths;
  for (const Route& route : routes) {
    json::object& item = paths.contains(route.path)
                             ? paths[route.path].as_object()
                             : paths.emplace(route.path, json::object()).first->value().as_object();
    item[lower(route.verb)] = writer.operation(route);
  }
  writer.schemas["Error"] = error_schema();
  json::object document{
      {"openapi", "3.1.0"}, {"info", describe(*service, version)}, {"paths", std::move(paths)}};
  document["security"] = json::array{json::object{{"token", json::array{}}}};
  document["components"] = json::object{
      {"securitySchemes",
       json::object{{"token", json::object{{"type", "http"}, {"scheme", "bearer"}}}}},
      {"responses",
       json::object{
           {"Error",
            json::object{
                {"description", "What went wrong; `code` is stable."},
                {"content",
                 json::object{
                     {"application/json",
                      json::object{
                          {"schema", json::object{{"$ref", "#/components/schemas/Error"}}}}}}}}}}},
      {"schemas", std::move(writer.schemas)}};
  return json::serialize(document);
}

}  // namespace aispm::collector::api
