// SPDX-License-Identifier: Apache-2.0
#include "gateway/collector/api/transcode.hpp"

#include <google/protobuf/timestamp.pb.h>
#include <google/protobuf/util/json_util.h>
#include <google/protobuf/util/time_util.h>

#include <boost/json.hpp>
#include <charconv>
#include <set>

#include "gateway/collector/limits.hpp"
#include "sdk/core/common/utf8.hpp"

namespace aispm::collector::api {
namespace {

using google::protobuf::FieldDescriptor;
using google::protobuf::Message;

tl::unexpected<Error> bad_value(const FieldDescriptor& field, std::string_view allowed) {
  return fail(Errc::kInvalid, field.name() + ": allowed is " + std::string(allowed));
}

template <typename T>
bool parse_number(std::string_view text, T& value) {
  const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), value);
  return error == std::errc() && end == text.data() + text.size() && !text.empty();
}

// Sets or, for a repeated field, adds one value through reflection.
struct Setter {
  Message& message;
  const FieldDescriptor& field;

#define AISPM_SET(Type, value)                                                       \
  (field.is_repeated() ? message.GetReflection()->Add##Type(&message, &field, value) \
                       : message.GetReflection()->Set##Type(&message, &field, value))

  Result<> set_enum(const std::string& text) {
    const auto* const named = field.enum_type()->FindValueByName(text);
    if (named == nullptr)
      return bad_value(field, "one of the names of " + field.enum_type()->name());
    AISPM_SET(Enum, named);
    return {};
  }

  Result<> set_message(const std::string& text) {
    google::protobuf::Timestamp time;
    if (field.message_type() != google::protobuf::Timestamp::descriptor() || field.is_repeated() ||
        text.size() > 64 || !google::protobuf::util::TimeUtil::FromString(text, &time))
      return bad_value(field, "a time such as 2026-01-31T12:00:00Z");
    message.GetReflection()->MutableMessage(&message, &field)->CopyFrom(time);
    return {};
  }

  template <typename T, typename Set>
  Result<> set_number(const std::string& text, std::string_view allowed, Set set) {
    T value{};
    if (!parse_number(text, value)) return bad_value(field, allowed);
    set(value);
    return {};
  }

  Result<> set(const std::string& text) {
    constexpr std::string_view kWhole = "a whole number in the range of the field";
    switch (field.cpp_type()) {
      case FieldDescriptor::CPPTYPE_STRING:
        AISPM_SET(String, text);
        return {};
      case FieldDescriptor::CPPTYPE_BOOL:
        if (text != "true" && text != "false") return bad_value(field, "true or false");
        AISPM_SET(Bool, text == "true");
        return {};
      case FieldDescriptor::CPPTYPE_UINT32:
        return set_number<std::uint32_t>(text, kWhole,
                                         [&](auto value) { AISPM_SET(UInt32, value); });
      case FieldDescriptor::CPPTYPE_INT32:
        return set_number<std::int32_t>(text, kWhole, [&](auto value) { AISPM_SET(Int32, value); });
      case FieldDescriptor::CPPTYPE_UINT64:
        return set_number<std::uint64_t>(text, kWhole,
                                         [&](auto value) { AISPM_SET(UInt64, value); });
      case FieldDescriptor::CPPTYPE_INT64:
        return set_number<std::int64_t>(text, kWhole, [&](auto value) { AISPM_SET(Int64, value); });
      case FieldDescriptor::CPPTYPE_DOUBLE:
        return set_number<double>(text, "a number", [&](auto value) { AISPM_SET(Double, value); });
      case FieldDescriptor::CPPTYPE_FLOAT:
        return set_number<float>(text, "a number", [&](auto value) { AISPM_SET(Float, value); });
      case FieldDescriptor::CPPTYPE_ENUM:
        return set_enum(text);
      case FieldDescriptor::CPPTYPE_MESSAGE:
        return set_message(text);
    }
    return fail(Errc::kInternal, field.name() + ": unknown type");
  }
#undef AISPM_SET
};

Result<> set_field(Message& message, const std::string& name, const std::string& value,
                   std::set<int>& seen) {
  const auto* field = message.GetDescriptor()->FindFieldByName(name);
  if (field == nullptr) field = message.GetDescriptor()->FindFieldByCamelcaseName(name);
  if (field == nullptr) {
    std::string allowed;
    for (int i = 0; i < message.GetDescriptor()->field_count(); ++i)
      allowed += (i == 0 ? "" : ", ") + message.GetDescriptor()->field(i)->name();
    return fail(Errc::kInvalid,
                "unknown parameter; allowed: " + (allowed.empty() ? "none" : allowed));
  }
  if (!seen.insert(field->number()).second && !field->is_repeated())
    return fail(Errc::kInvalid, field->name() + ": stands twice");
  if (to_utf8(value) != value) return bad_value(*field, "UTF-8 text");
  return Setter{message, *field}.set(value);
}

Result<> read_query(Message& message, std::string_view query, std::set<int>& seen) {
  while (!query.empty()) {
    const auto end = query.find('&');
    const std::string_view pair = query.substr(0, end);
    query.remove_prefix(end == std::string_view::npos ? query.size() : end + 1);
    if (pair.empty()) continue;
    const auto equals = pair.find('=');
    const auto name = decode_percent(pair.substr(0, equals), true);
    const auto value =
        decode_percent(equals == std::string_view::npos ? "" : pair.substr(equals + 1), true);
    if (!name || !value) return fail(Errc::kInvalid, "query: bad percent escape");
    AISPM_CHECK(set_field(message, *name, *value, seen));
  }
  return {};
}

Result<> read_body(Message& message, std::string_view body) {
  // What is allowed for this path the server has checked.
  if (body.size() > limits::kMaxPushBytes)
    return fail(Errc::kTooLarge, "the body is larger than 2097152 bytes");
  if (body.empty()) return {};
  google::protobuf::util::JsonParseOptions options;
  options.ignore_unknown_fields = false;
  const auto status =
      google::protobuf::util::JsonStringToMessage({body.data(), body.size()}, &message, options);
  if (!status.ok()) return fail(Errc::kInvalid, "body: " + std::string(status.message()));
  return {};
}

int status_of(Errc code) {
  switch (code) {
    case Errc::kInvalid:
      return 400;
    case Errc::kUnauthenticated:
      return 401;
    case Errc::kDenied:
      return 403;
    case Errc::kNotFound:
      return 404;
    case Errc::kUnsupported:
      return 405;
    case Errc::kExists:
      return 409;
    case Errc::kTooLarge:
      return 413;
    case Errc::kExhausted:
      return 429;
    case Errc::kUnavailable:
      return 503;
    case Errc::kDeadlineExceeded:
      return 504;
    case Errc::kInternal:
      return 500;
  }
  return 500;
}

}  // namespace

Result<std::unique_ptr<Message>> read_request(const Match& match, std::string_view query,
                                              std::string_view body) {
  const auto* const prototype = google::protobuf::MessageFactory::generated_factory()->GetPrototype(
      match.route->method->input_type());
  std::unique_ptr<Message> message(prototype->New());
  // The body first: what the path says cannot be overwritten by it.
  if (match.route->verb == "POST")
    AISPM_CHECK(read_body(*message, body));
  else if (!body.empty())
    return fail(Errc::kInvalid, match.route->verb + " takes no body");
  std::set<int> seen;
  for (const auto& [name, value] : match.fields)
    AISPM_CHECK(set_field(*message, name, value, seen));
  AISPM_CHECK(read_query(*message, query, seen));
  return message;
}

Result<std::string> to_json(const Message& message) {
  google::protobuf::util::JsonPrintOptions options;
  options.preserve_proto_field_names = true;
  options.always_print_primitive_fields = true;
  std::string json;
  const auto status = google::protobuf::util::MessageToJsonString(message, &json, options);
  if (!status.ok()) return fail(Errc::kInternal, "reply: " + std::string(status.message()));
  return json;
}

ErrorReply to_rest(const Error& error) {
  boost::json::object inner{{"code", std::string(name_of(error.code))},
                            {"message", to_utf8(error.message)}};
  return {status_of(error.code),
          boost::json::serialize(boost::json::object{{"error", std::move(inner)}})};
}

}  // namespace aispm::collector::api
