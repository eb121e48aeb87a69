// SPDX-License-Identifier: Apache-2.0
#include "sdk/core/report/convert.hpp"

#include <gmock/gmock.h>
#include <google/protobuf/descriptor.h>
#include <google/protobuf/message.h>
#include <google/protobuf/util/message_differencer.h>
#include <gtest/gtest.h>

#include "aispm/v1/ingest.pb.h"
#include "sdk/core/report/event_wire.hpp"

namespace aispm::report {
namespace {

using google::protobuf::FieldDescriptor;
using google::protobuf::Message;
using google::protobuf::Reflection;
using google::protobuf::util::MessageDifferencer;
using ::testing::HasSubstr;

// Gives every field of a message a value of its own, so that a field the conversion forgets or
// swaps shows up.
class Filler {
 public:
  void fill(Message& message, const std::string& body) {
    const auto* const descriptor = message.GetDescriptor();
    for (int i = 0; i < descriptor->field_count(); ++i) {
      const FieldDescriptor* const field = descriptor->field(i);
      if (field->containing_oneof() != nullptr && field->name() != body) continue;
      if (field->is_map())
        fill_map(message, field);
      else if (field->is_repeated())
        fill_repeated(message, field);
      else
        fill_single(message, field);
    }
  }

 private:
  std::string text(const FieldDescriptor* field) {
    return field->name() + "-\xc3\xa9-" + std::to_string(++next_);
  }

  void fill_single(Message& message, const FieldDescriptor* field) {
    const Reflection& access = *message.GetReflection();
    switch (field->cpp_type()) {
      case FieldDescriptor::CPPTYPE_STRING:
        access.SetString(&message, field, text(field));
        break;
      case FieldDescriptor::CPPTYPE_UINT32:
        access.SetUInt32(&message, field, ++next_);
        break;
      case FieldDescriptor::CPPTYPE_UINT64:
        access.SetUInt64(&message, field, (std::uint64_t{1} << 60) + ++next_);
        break;
      case FieldDescriptor::CPPTYPE_INT32:
        access.SetInt32(&message, field, static_cast<int>(++next_));
        break;
      case FieldDescriptor::CPPTYPE_INT64:
        access.SetInt64(&message, field, ++next_);
        break;
      case FieldDescriptor::CPPTYPE_DOUBLE:
        access.SetDouble(&message, field, 0.25 * ++next_);
        break;
      case FieldDescriptor::CPPTYPE_BOOL:
        access.SetBool(&message, field, true);
        break;
      case FieldDescriptor::CPPTYPE_ENUM:
        access.SetEnumValue(&message, field, field->enum_type()->value_count() - 1);
        break;
      case FieldDescriptor::CPPTYPE_MESSAGE:
        fill(*access.MutableMessage(&message, field), "");
        break;
      default:
        FAIL() << field->full_name() << " has a type this test does not know";
    }
  }

  void fill_repeated(Message& message, const FieldDescriptor* field) {
    const Reflection& access = *message.GetReflection();
    for (int i = 0; i < 2; ++i) {
      if (field->cpp_type() == FieldDescriptor::CPPTYPE_STRING)
        access.AddString(&message, field, text(field));
      else
        fill(*access.AddMessage(&message, field), "");
    }
  }

  void fill_map(Message& message, const FieldDescriptor* field) {
    Message& entry = *message.GetReflection()->AddMessage(&message, field);
    fill(entry, "");
  }

  std::uint32_t next_ = 0;
};

std::vector<std::string> body_names() {
  std::vector<std::string> names;
  const auto* const body = v1::Event::descriptor()->FindOneofByName("body");
  for (int i = 0; i < body->field_count(); ++i) names.push_back(body->field(i)->name());
  return names;
}

v1::Event full_event(const std::string& body) {
  v1::Event event;
  Filler().fill(event, body);
  return event;
}

class EveryBody : public ::testing::TestWithParam<std::string> {};

TEST_P(EveryBody, KeepsEveryFieldThroughTheModelAndBack) {
  const v1::Event event = full_event(GetParam());
  v1::Event back;
  to_proto(from_proto(event).value(), back);
  MessageDifferencer difference;
  std::string report;
  difference.ReportDifferencesToString(&report);
  EXPECT_TRUE(difference.Compare(event, back)) << report;
}

// What was written, read by protobuf; no byte more than protobuf needs for it.
v1::Event read_back(std::string_view written) {
  v1::EventBatch batch;
  EXPECT_TRUE(batch.ParseFromArray(written.data(), static_cast<int>(written.size())));
  EXPECT_EQ(batch.ByteSizeLong(), written.size());
  EXPECT_EQ(batch.events_size(), 1);
  return batch.events_size() == 1 ? batch.events(0) : v1::Event();
}

// Calls have a way of their own where there is no process.
TEST_P(EveryBody, IsWrittenWithEveryField) {
  v1::Event event = full_event(GetParam());
  std::string room;
  for (const bool has_process : {true, false}) {
    if (!has_process) event.clear_process();
    const v1::Event back = read_back(write_event(from_proto(event).value(), room));
    EXPECT_TRUE(MessageDifferencer::Equals(event, back)) << back.DebugString();
  }
}

TEST_P(EveryBody, KeepsEveryFieldThroughJson) {
  const v1::Event event = full_event(GetParam());
  const std::string json = to_json(from_proto(event).value()).value();
  EXPECT_EQ(json.find('\n'), std::string::npos);
  v1::Event back;
  to_proto(from_json(json).value(), back);
  EXPECT_TRUE(MessageDifferencer::Equals(event, back)) << json;
}

INSTANTIATE_TEST_SUITE_P(Convert, EveryBody, ::testing::ValuesIn(body_names()),
                         [](const auto& instance) { return instance.param; });

// Lengths of one, two and three bytes; what is no UTF-8; times before 1970; memory used again.
TEST(Convert, ACallIsWrittenAsTheMessageThatItIs) {
  std::string room;
  for (const std::size_t size :
       {0, 1, 90, 100, 127, 128, 129, 300, 16'200, 16'383, 16'384, 70'000, 5}) {
    model::Event event;
    auto& call = event.body.emplace<model::LlmCall>();
    call.prompt_text = std::string(size, 'x');
    call.tools_called = {"", "\xff\xc3\xa9", std::string(size, 'y')};
    event.time.nanoseconds = static_cast<std::int64_t>(size) * 1'000'000'007 - 5'000'000'000;
    event.detections.resize(2);
    event.detections[1].confidence = -0.5;
    event.detections[1].evidence = call.prompt_text;
    if (size % 2 == 0) event.decision.emplace();
    if (size % 3 == 0) call.cost_nano_usd = size;
    v1::Event message;
    to_proto(event, message);
    const v1::Event back = read_back(write_event(event, room));
    EXPECT_TRUE(MessageDifferencer::Equals(message, back)) << size << back.DebugString();
  }
}

// A thread converts one event after the other into one message.
TEST(Convert, NothingOfTheEventBeforeIsLeft) {
  v1::Event call = full_event("llm_call");
  for (const std::string& body : body_names()) {
    const v1::Event other = full_event(body);
    model::Event bare = from_proto(call).value();
    bare.decision.reset();
    bare.body.emplace<model::LlmCall>().provider = "openai";
    bare.id = "\xff";
    v1::Event fresh, used;
    to_proto(bare, fresh);
    for (const model::Event& event : {from_proto(call).value(), from_proto(other).value(), bare})
      to_proto(event, used);
    EXPECT_TRUE(MessageDifferencer::Equals(fresh, used)) << used.DebugString();
    to_proto(from_proto(other).value(), used);
    EXPECT_TRUE(MessageDifferencer::Equals(other, used)) << used.DebugString();
    to_proto(model::Event{}, used);
    EXPECT_EQ(used.body_case(), v1::Event::BODY_NOT_SET);
    EXPECT_FALSE(used.has_decision());
  }
}

TEST(Convert, AnEmptyEventStaysEmpty) {
  v1::Event message;
  to_proto(model::Event{}, message);
  EXPECT_EQ(message.body_case(), v1::Event::BODY_NOT_SET);
  EXPECT_FALSE(message.has_process());
  EXPECT_FALSE(message.has_decision());
  const model::Event back = from_proto(message).value();
  EXPECT_TRUE(std::holds_alternative<std::monostate>(back.body));
  EXPECT_FALSE(back.process);
  EXPECT_FALSE(back.decision);
}

TEST(Convert, BytesThatAreNotUtf8DoNotMakeAMessageThatCannotBeParsed) {
  model::Event event;
  event.process.emplace();
  event.process->comm =
      "a\xff\xfe"
      "b";
  event.process->argv = {"ok", "\xc0\x80"};
  v1::Event message;
  to_proto(event, message);
  v1::Event parsed;
  ASSERT_TRUE(parsed.ParseFromString(message.SerializeAsString()));
  EXPECT_EQ(parsed.process().comm(),
            "a\xef\xbf\xbd\xef\xbf\xbd"
            "b");
}

TEST(Convert, RefusesAPortTheModelCannotHold) {
  v1::Event message;
  message.mutable_socket_connect()->set_destination_port(65536);
  const auto result = from_proto(message);
  ASSERT_FALSE(result);
  EXPECT_EQ(result.error().code, Errc::kInvalid);
}

TEST(Convert, RefusesTimesOutsideOfTheModel) {
  for (const std::int64_t seconds : {std::int64_t{-1}, std::int64_t{9'300'000'000}}) {
    v1::Event message;
    message.mutable_time()->set_seconds(seconds);
    EXPECT_FALSE(from_proto(message)) << seconds;
  }
}

TEST(Convert, UnknownEnumValuesBecomeUnspecified) {
  v1::Event message;
  message.set_source(static_cast<v1::Source>(99));
  message.mutable_decision()->set_outcome(static_cast<v1::Decision::Outcome>(-5));
  message.add_detections()->set_severity(static_cast<v1::Severity>(6));
  message.mutable_sandbox_denial()->set_kind(static_cast<v1::SandboxDenial::Kind>(77));
  const model::Event event = from_proto(message).value();
  EXPECT_EQ(event.source, model::Source::kUnspecified);
  EXPECT_EQ(event.decision->outcome, model::Outcome::kUnspecified);
  EXPECT_EQ(event.detections.at(0).severity, model::Severity::kUnspecified);
  EXPECT_EQ(std::get<model::SandboxDenial>(event.body).kind, model::DenialKind::kUnspecified);
}

TEST(Convert, JsonUsesTheNamesOfTheProtoAndTakesBothForms) {
  model::Event event;
  event.agent_id = "alice/agent.py";
  event.body = model::ProcessExit{3, 0};
  EXPECT_THAT(to_json(event).value(), HasSubstr(R"("process_exit":{"exit_code":3})"));
  const auto camel = from_json(R"({"agentId":"a","processExit":{"exitCode":3}})").value();
  EXPECT_EQ(camel.agent_id, "a");
  EXPECT_EQ(std::get<model::ProcessExit>(camel.body).exit_code, 3U);
}

TEST(Convert, ReadsTheDenialThatALauncherWrites) {
  const auto event = from_json(
      R"({"source":"SOURCE_SANDBOX","sandbox_denial":{"kind":"KIND_SYSCALL","target":"ptrace","count":"3",)"
      R"("error":"EPERM","first_time":"2027-01-15T08:00:00.000000Z","last_time":"2027-01-15T08:00:02.000000Z"}})");
  ASSERT_TRUE(event);
  const auto& denial = std::get<model::SandboxDenial>(event->body);
  EXPECT_EQ(denial.error, "EPERM");
  EXPECT_EQ(denial.first_time.nanoseconds, 1'800'000'000'000'000'000);
  EXPECT_EQ(denial.last_time.nanoseconds, 1'800'000'002'000'000'000);
  EXPECT_FALSE(from_json(
      R"({"sandbox_denial":{"kind":"KIND_SYSCALL","target":"x","last_time":"1900-01-15T08:00:00Z"}})"));
}

TEST(Convert, RefusesBadJson) {
  for (const char* json :
       {"", "{", "[]", R"({"no_such_field":1})", R"({"agent_id":7)", R"({"process":{"pid":-1}})"}) {
    const auto result = from_json(json);
    ASSERT_FALSE(result) << json;
    EXPECT_EQ(result.error().code, Errc::kInvalid) << json;
  }
  EXPECT_EQ(from_json(std::string(kMaxEventJsonBytes + 1, ' ')).error().code, Errc::kTooLarge);
}

}  // namespace
}  // namespace aispm::report
