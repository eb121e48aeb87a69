// SPDX-License-Identifier: Apache-2.0
#include <gmock/gmock.h>
#include <unistd.h>

#include <atomic>
#include <cmath>
#include <cstdlib>
#include <future>
#include <limits>
#include <thread>

#include "gateway/collector/config.hpp"
#include "gateway/collector/ingest/feed.hpp"
#include "gateway/collector/ingest/writer.hpp"
#include "gateway/collector/limits.hpp"
#include "sdk/core/common/unique_fd.hpp"
#include "sdk/core/model/gateway_actions.hpp"
#include "tests/unit/collector/support.hpp"

namespace aispm::collector::test {
namespace {

using testing::HasSubstr;

Producer make_producer(const std::string& component) { return {"default", "host", component, {}}; }

Result<IncomingEvent> accept(const pb::Event& event, const std::string& component,
                             google::protobuf::Arena& arena) {
  return accept_event(event.SerializeAsString(), make_producer(component), arena);
}

TEST(AcceptEvent, TakesTenantAndHostFromTheCertificate) {
  google::protobuf::Arena arena;
  pb::Event event = make_exec(7, 0, 0);
  event.set_tenant("forged");
  event.set_host_id("forged");
  const auto accepted = must(accept(event, "sensord", arena));
  EXPECT_EQ(accepted.event->tenant(), "default");
  EXPECT_EQ(accepted.event->host_id(), "host");
}

TEST(AcceptEvent, FillsAnEmptySourceWithTheComponentsOwn) {
  google::protobuf::Arena arena;
  pb::Event event = make_exec(7, 0, 0);
  event.clear_source();
  EXPECT_EQ(must(accept(event, "sensord", arena)).event->source(), pb::SOURCE_SENSOR);
  EXPECT_EQ(must(accept(event, "gateway", arena)).event->source(), pb::SOURCE_GATEWAY);
}

TEST(AcceptEvent, LetsNobodySpeakForAnother) {
  google::protobuf::Arena arena;
  const std::vector<std::tuple<std::string, pb::Source, bool>> cases = {
      {"sensord", pb::SOURCE_SENSOR, true},    {"sensord", pb::SOURCE_GATEWAY, false},
      {"sensord", pb::SOURCE_SANDBOX, false},  {"sensord", pb::SOURCE_COLLECTOR, false},
      {"gateway", pb::SOURCE_SENSOR, false},   {"gateway", pb::SOURCE_GATEWAY, true},
      {"gateway", pb::SOURCE_SANDBOX, true},   {"gateway", pb::SOURCE_SDK, true},
      {"gateway", pb::SOURCE_COLLECTOR, false}};
  for (const auto& [component, source, is_allowed] : cases) {
    pb::Event event = make_exec(7, 0, 0);
    event.set_source(source);
    EXPECT_EQ(accept(event, component, arena).has_value(), is_allowed)
        << component << " " << source;
  }
}

TEST(AcceptEvent, RefusesWhatIsMalformedAndNamesTheField) {
  google::protobuf::Arena arena;
  struct Case {
    std::string field;
    std::function<void(pb::Event&)> spoil;
  };
  for (const Case& spoiled : std::vector<Case>{
           {"id", [](auto& e) { e.set_id("42"); }},
           {"time", [](auto& e) { e.clear_time(); }},
           {"time",
            [](auto& e) {
              e.mutable_time()->set_seconds(std::numeric_limits<std::int64_t>::max());
            }},
           {"time", [](auto& e) { e.mutable_time()->set_nanos(-1); }},
           {"body", [](auto& e) { e.clear_process_exec(); }},
           {"agent_id", [](auto& e) { e.set_agent_id("a\nb"); }},
           {"agent_id", [](auto& e) { e.set_agent_id(std::string(257, 'a')); }},
           {"session_id", [](auto& e) { e.set_session_id(std::string(257, 'a')); }},
           {"trace_id", [](auto& e) { e.set_trace_id("ABC"); }},
           {"span_id", [](auto& e) { e.set_span_id("12"); }},
           {"detections.confidence",
            [](auto& e) { e.add_detections()->set_confidence(std::nan("")); }},
           {"ai_use.confidence", [](auto& e) { e.mutable_ai_use()->set_confidence(1.5); }},
           {"sandbox_start", [](auto& e) { e.mutable_sandbox_start(); }},
           {"llm_call", [](auto& e) { e.mutable_llm_call()->set_input_tokens(UINT64_MAX); }},
           {"llm_call",
            [](auto& e) { e.mutable_llm_call()->set_route_name(std::string(257, 'r')); }},
           {"llm_call.failed_attempts",
            [](auto& e) { e.mutable_llm_call()->add_failed_attempts(std::string(1025, 'x')); }},
           {"process", [](auto& e) { e.mutable_process()->set_start_boottime_ns(UINT64_MAX); }}}) {
    pb::Event event = make_exec(7, 0, 0);
    spoiled.spoil(event);
    const auto accepted = accept(event, "sensord", arena);
    ASSERT_FALSE(accepted) << spoiled.field;
    EXPECT_THAT(accepted.error().message, HasSubstr(spoiled.field));
  }
}

TEST(AcceptEvent, TakesOfAGatewaysOperatorsWhatGatewaysTell) {
  google::protobuf::Arena arena;
  const auto accepts = [&](std::string_view action, const std::string& after) {
    pb::Event event = make_exec(7, 0, 0);
    event.set_source(pb::SOURCE_GATEWAY);
    event.mutable_operator_action()->set_who("root (uid 0)");
    event.mutable_operator_action()->set_action(std::string(action));
    event.mutable_operator_action()->set_after(after);
    return accept(event, "gateway", arena).has_value();
  };
  for (const model::GatewayAction& action : model::kGatewayActions) {
    EXPECT_TRUE(accepts(action.name, std::string(64, 'a'))) << action.name;
    EXPECT_EQ(accepts(action.name, "openai=https://localhost:1"), !action.tells_digests)
        << action.name;
    EXPECT_FALSE(accepts(action.name, std::string(limits::kMaxTextBytes + 1, 'a')));
  }
  EXPECT_FALSE(accepts("policy.enforce", ""));  // the collector's own
}

TEST(AcceptBatch, LosesOnlyTheEventThatIsNotUtf8) {
  const std::string good = make_exec(1, 0, 0).SerializeAsString();
  pb::Event event = make_exec(2, 0, 0);
  event.mutable_process()->set_comm("XXXX");
  std::string bad = event.SerializeAsString();
  bad.replace(bad.find("XXXX"), 4, "\xff\xfe\xff\xfe");
  const auto accepted = accept_batch({1, 0, {good, bad, good}},
                                     std::make_shared<const Producer>(make_producer("sensord")));
  EXPECT_EQ(accepted.delivery->events.size(), 2U);
  EXPECT_EQ(accepted.delivery->rejected, 1U);
  EXPECT_THAT(accepted.first_problem, HasSubstr("UTF-8"));
}

TEST(DecodeReport, ReadsWhatProtobufWrites) {
  pb::ReportRequest request;
  request.mutable_batch()->set_sequence(7);
  request.mutable_batch()->set_lost_before(3);
  *request.mutable_batch()->add_events() = make_exec(1, 0, 0);
  *request.mutable_batch()->add_events() = make_exec(2, 0, 0);
  const std::string bytes = request.SerializeAsString();
  const auto batch = std::get<RawBatch>(must(decode_report(bytes)));
  EXPECT_EQ(batch.sequence, 7U);
  EXPECT_EQ(batch.lost_before, 3U);
  ASSERT_EQ(batch.events.size(), 2U);
  EXPECT_EQ(batch.events[1], request.batch().events(1).SerializeAsString());
}

TEST(DecodeReport, RefusesSequenceZeroTooManyEventsAndCutBytes) {
  pb::ReportRequest request;
  request.mutable_batch();
  EXPECT_FALSE(decode_report(request.SerializeAsString()));
  request.mutable_batch()->set_sequence(1);
  for (std::size_t i = 0; i <= limits::kMaxBatchEvents; ++i) request.mutable_batch()->add_events();
  EXPECT_FALSE(decode_report(request.SerializeAsString()));
  request.mutable_batch()->clear_events();
  *request.mutable_batch()->add_events() = make_exec(1, 0, 0);
  const std::string bytes = request.SerializeAsString();
  EXPECT_TRUE(decode_report(bytes));
  EXPECT_FALSE(decode_report(std::string_view(bytes).substr(0, bytes.size() - 1)));
}

TEST(Uuid, ReadsAndWritesTheSameText) {
  const std::string id = "01a1fc71-f5b8-7ee0-a803-76ab925a5e11";
  const auto bytes = parse_uuid(id);
  ASSERT_TRUE(bytes);
  EXPECT_EQ(format_uuid({bytes->data(), bytes->size()}), id);
  for (const char* bad :
       {"", "01a1fc71f5b87ee0a80376ab925a5e11", "01a1fc71-f5b8-7ee0-a803-76ab925a5e1g",
        "01a1fc71-f5b8-7ee0-a803-76ab925a5e111"})
    EXPECT_FALSE(parse_uuid(bad)) << bad;
}

TEST(Feed, PassesOnOnlyWhatFitsAndIsNew) {
  Bench bench;
  Feed feed;
  int woken = 0;
  const auto calls =
      must(feed.subscribe({pb::Event::kLlmCallFieldNumber, "", ""}, [&] { ++woken; }));
  const pb::Event call = make_call(pb::SOURCE_GATEWAY, 0);
  std::vector<std::unique_ptr<Delivery>> group;
  pb::Event log = make_event(pb::SOURCE_SDK, 0);
  log.mutable_agent_log();
  group.push_back(bench.batch(bench.producer("gateway"), 1, {call, log, call}));
  must(bench.writer().commit(group, at(0)));
  feed.publish(group);
  EXPECT_EQ(calls->waiting(), 1U);
  EXPECT_EQ(calls->take()->id(), call.id());
  EXPECT_EQ(woken, 1);
}

TEST(Feed, DropsForASlowSubscriberAndCounts) {
  Bench bench;
  Feed feed;
  const auto slow = must(feed.subscribe({}, [] {}));
  const std::size_t extra = 10;
  for (std::size_t sent = 0, sequence = 1; sent < limits::kSubscriberRing + extra; ++sequence) {
    std::vector<pb::Event> events;
    for (; events.size() < 1000 && sent < limits::kSubscriberRing + extra; ++sent)
      events.push_back(make_exec(1, 0, 0));
    std::vector<std::unique_ptr<Delivery>> group;
    group.push_back(bench.batch(bench.producer("sensord"), sequence, events));
    must(bench.writer().commit(group, at(0)));
    feed.publish(group);
  }
  EXPECT_EQ(slow->waiting(), limits::kSubscriberRing);
  EXPECT_EQ(slow->dropped(), extra);
}

TEST(Feed, RefusesMoreSubscribersThanItsLimit) {
  Feed feed;
  std::vector<std::shared_ptr<Subscription>> all;
  for (std::size_t i = 0; i < limits::kMaxSubscribers; ++i)
    all.push_back(must(feed.subscribe({}, [] {})));
  EXPECT_EQ(feed.subscribe({}, [] {}).error().code, Errc::kExhausted);
  all.pop_back();
  EXPECT_TRUE(feed.subscribe({}, [] {}));
}

// The whole way through the thread: acknowledged only after the commit, withheld while the disk is
// full.
TEST(Writer, WithholdsAcknowledgementsWhileTheStoreFailsAndStatesIt) {
  Bench bench({.max_pages = 130});
  std::vector<pb::Event> events;
  for (std::uint32_t i = 0; i < 2000; ++i) {
    events.push_back(make_exec(i + 1, 0, 0));
    events.back().mutable_process()->add_argv(std::string(500, 'x'));
  }
  auto store =
      must(store::EventWriter::open(must(store::Database::open(bench.path(), {.max_pages = 130}))));
  Feed feed;
  std::atomic<bool> is_acknowledged = false;
  {
    const auto writer = Writer::start(std::move(store), feed, {}, [] { return at(0); });
    auto delivery = bench.batch(bench.producer("sensord"), 1, events);
    ASSERT_TRUE(writer->offer(
        delivery, [&](const Delivery&) { is_acknowledged = true; }, [] {}));
    for (int i = 0; i < 500 && writer->state().problem.empty(); ++i)
      std::this_thread::sleep_for(std::chrono::milliseconds(10));
    EXPECT_THAT(writer->state().problem, HasSubstr("full"));
  }
  EXPECT_FALSE(is_acknowledged);
  EXPECT_EQ(bench.count("SELECT COUNT(*) FROM events"), 0);
}

TEST(Writer, AcknowledgesWhatIsDurable) {
  Bench bench;
  Feed feed;
  std::promise<std::uint64_t> acknowledged;
  const auto writer =
      Writer::start(must(store::EventWriter::open(must(store::Database::open(bench.path())))), feed,
                    {}, [] { return at(0); });
  auto delivery = bench.batch(bench.producer("sensord"), 1, {make_exec(1, 0, 0)});
  ASSERT_TRUE(writer->offer(
      delivery, [&](const Delivery& done) { acknowledged.set_value(done.acknowledged); }, [] {}));
  EXPECT_EQ(acknowledged.get_future().get(), 1U);
  EXPECT_EQ(bench.count("SELECT COUNT(*) FROM events"), 1);
}

TEST(Config, ReadsEveryKey) {
  const auto config =
      must(parse_config("state_folder: /x\ngrpc:\n  address: 0.0.0.0:1\nhttp:\n  address: ::1\n  "
                        "port: 2\nnames: [a.example]\ntenant: t\n"
                        "dashboard_folder: /d\nretention:\n  max_age: 24h\n  max_bytes: 1GiB\n",
                        "c.yaml"));
  EXPECT_EQ(config.grpc_address, "0.0.0.0:1");
  EXPECT_EQ(config.http_port, 2);
  EXPECT_EQ(config.retention.max_age.count(), 24);
  EXPECT_EQ(config.retention.max_bytes, 1ULL << 30);
}

TEST(Config, NamesFileAndLineOfWhatIsWrong) {
  for (const auto& [text, where] :
       std::vector<std::pair<std::string, std::string>>{{"tenant: ok\nfoo: 1\n", "c.yaml:2"},
                                                        {"grpc:\n  address: nowhere\n", "c.yaml:2"},
                                                        {"http:\n  port: 99999\n", "c.yaml:2"},
                                                        {"http:\n  address: 0.0.0.0\n", "c.yaml:2"},
                                                        {"state_folder: relative\n", "c.yaml:1"},
                                                        {"retention:\n  max_age: 1s\n", "c.yaml:2"},
                                                        {"tenant: 'a b'\n", "c.yaml:1"}}) {
    const auto config = parse_config(text, "c.yaml");
    ASSERT_FALSE(config) << text;
    EXPECT_THAT(config.error().message, HasSubstr(where)) << text;
  }
}

TEST(Config, AllowsPlaintextBeyondLoopbackOnlyWhenSaid) {
  EXPECT_TRUE(parse_config("http:\n  address: 0.0.0.0\n  allow_plaintext: true\n", "c.yaml"));
}

// APR-007
TEST(Config, TellsOneReceiverOrSeveral) {
  char name[] = "/tmp/aispm_secret_XXXXXX";
  const UniqueFd file(::mkstemp(name));
  ASSERT_GT(::write(file.get(), "0123456789abcdef\n", 17), 0);
  const std::string secret = std::string("secret_file: ") + name;
  const auto config = [&](const std::string& approvals) {
    return parse_config("approvals: {" + approvals + "}\n", "c.yaml");
  };
  const std::string only = "notify: {url: 'https://one.example/h', " + secret + "}";
  EXPECT_TRUE(must(config("")).receivers.empty());
  EXPECT_EQ(must(config(only)).receivers.at(0).name, "notify");
  const auto all =
      must(config(only + ", receivers: [{name: two, url: 'https://two.example', " + secret +
                  ", kinds: [human], approver_roles: [legal], agents: ['a/*']}]"))
          .receivers;
  ASSERT_EQ(all.size(), 2U);
  EXPECT_EQ(all[1].kinds, std::vector<std::string>{"human"});
  EXPECT_EQ(all[1].roles, std::vector<std::string>{"legal"});
  EXPECT_EQ(all[1].agents.size(), 1U);
  for (const char* const wrong :
       {"receivers: [{name: two, url: 'https://two.example'}]", "receivers: [{name: two}]",
        "receivers: [{name: 'a b', url: x, SECRET}]", "receivers: [{url: x, SECRET}]",
        "receivers: [{name: a, url: x, SECRET}, {name: a, url: x, SECRET}]",
        "receivers: [{name: a, url: x, kinds: [ticket], SECRET}]"}) {
    std::string text = wrong;
    for (auto at = text.find("SECRET"); at != std::string::npos; at = text.find("SECRET"))
      text.replace(at, 6, secret);
    EXPECT_FALSE(config(text)) << wrong;
  }
  ::unlink(name);
}

}  // namespace
}  // namespace aispm::collector::test
