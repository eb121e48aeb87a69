// SPDX-License-Identifier: Apache-2.0
#include <gmock/gmock.h>

#include <set>

#include "sdk/core/common/file.hpp"
#include "tests/unit/collector/support.hpp"

namespace aispm::collector::test {
namespace {

using Only = store::Reader::Only;

std::vector<std::string> ids_of(const pb::EventList& list) {
  std::vector<std::string> ids;
  for (const auto& event : list.events()) ids.push_back(event.id());
  return ids;
}

TEST(ListEvents, GivesEveryEventOnceOverPagesNewestFirst) {
  Bench bench;
  std::vector<pb::Event> events;
  for (std::uint32_t i = 0; i < 57; ++i)
    events.push_back(make_exec(i + 1, 0, i / 5));  // many with the same time
  bench.report("sensord", events);
  pb::ListEventsRequest request;
  request.set_page_size(10);
  std::set<std::string> seen;
  std::int64_t last = INT64_MAX;
  int pages = 0;
  do {
    const auto list = must(bench.reader().events(request, Only::kAll));
    for (const auto& event : list.events()) {
      EXPECT_TRUE(seen.insert(event.id()).second);
      EXPECT_LE(event.time().seconds(), last);
      last = event.time().seconds();
    }
    request.set_page_token(list.next_page_token());
    ++pages;
  } while (!request.page_token().empty());
  EXPECT_EQ(seen.size(), 57U);
  EXPECT_EQ(pages, 6);
}

TEST(ListEvents, FiltersByEachField) {
  Bench bench;
  const pb::Event exec = make_exec(1, 0, 0);
  pb::Event call = make_call(pb::SOURCE_GATEWAY, 10);
  call.set_agent_id("bot");
  call.set_session_id("s-1");
  call.set_trace_id(std::string(32, 'c'));
  call.add_detections()->set_category("pii");
  call.mutable_decision()->set_outcome(pb::Decision::OUTCOME_DENY);
  bench.report("sensord", {exec});
  bench.report("gateway", {call});
  const auto expect_only = [&](const std::string& what, auto set, Only only,
                               const pb::Event& wanted) {
    pb::ListEventsRequest request;
    set(request);
    EXPECT_THAT(ids_of(must(bench.reader().events(request, only))),
                testing::ElementsAre(wanted.id()))
        << what;
  };
  expect_only(
      "kind", [](auto& r) { r.set_kind("llm_call"); }, Only::kAll, call);
  expect_only(
      "agent", [](auto& r) { r.set_agent_id("bot"); }, Only::kAll, call);
  expect_only(
      "session", [](auto& r) { r.set_session_id("s-1"); }, Only::kAll, call);
  expect_only(
      "trace", [](auto& r) { r.set_trace_id(std::string(32, 'c')); }, Only::kAll, call);
  expect_only(
      "gateway", [](auto& r) { r.set_source("gateway"); }, Only::kAll, call);
  expect_only(
      "sensor", [](auto& r) { r.set_source("sensor"); }, Only::kAll, exec);
  expect_only(
      "after", [](auto& r) { store::set_time(at(5).nanoseconds, r.mutable_after()); }, Only::kAll,
      call);
  expect_only(
      "before", [](auto& r) { store::set_time(at(5).nanoseconds, r.mutable_before()); }, Only::kAll,
      exec);
  expect_only(
      "detected", [](auto&) {}, Only::kDetected, call);
  expect_only(
      "decided", [](auto&) {}, Only::kDecided, call);
  expect_only(
      "host and kind",
      [&](auto& r) {
        r.set_host_id(bench.host_id());
        r.set_kind("process_exec");
      },
      Only::kAll, exec);
}

TEST(ListEvents, GivesNothingForNamesThatDoNotExist) {
  Bench bench;
  bench.report("sensord", {make_exec(1, 0, 0)});
  for (const auto& set : std::vector<std::function<void(pb::ListEventsRequest&)>>{
           [](auto& r) { r.set_host_id("nobody"); }, [](auto& r) { r.set_agent_id("nobody"); },
           [](auto& r) { r.set_session_id("nobody"); }}) {
    pb::ListEventsRequest request;
    set(request);
    EXPECT_EQ(must(bench.reader().events(request, Only::kAll)).events_size(), 0);
  }
}

TEST(ListEvents, RefusesWhatItCannotMean) {
  Bench bench;
  for (const auto& set : std::vector<std::function<void(pb::ListEventsRequest&)>>{
           [](auto& r) { r.set_kind("nonsense"); }, [](auto& r) { r.set_source("moon"); },
           [](auto& r) { r.set_trace_id("xyz"); }, [](auto& r) { r.set_page_size(1001); },
           [](auto& r) { r.set_page_token("zz"); }, [](auto& r) { r.set_page_token("3132"); }}) {
    pb::ListEventsRequest request;
    set(request);
    const auto list = bench.reader().events(request, Only::kAll);
    ASSERT_FALSE(list) << request.ShortDebugString();
    EXPECT_EQ(list.error().code, Errc::kInvalid);
  }
}

TEST(ListHosts, PagesAndSearchesByName) {
  Bench bench;
  for (const char* name : {"web-1", "web-2", "db_1", "Web-3"})
    bench.enrol(name, std::string("m-") + name);
  pb::ListRequest request;
  request.set_page_size(2);
  request.set_query("web-");
  std::vector<std::string> names;
  do {
    const auto list = must(bench.reader().hosts(request));
    for (const auto& host : list.hosts()) names.push_back(host.hostname());
    request.set_page_token(list.next_page_token());
  } while (!request.page_token().empty());
  EXPECT_THAT(names, testing::ElementsAre("Web-3", "web-1", "web-2"));
}

TEST(ListHosts, TakesWildcardsOfSqlAsLetters) {
  Bench bench;
  bench.enrol("db_1", "m1");
  bench.enrol("db-1", "m2");
  pb::ListRequest request;
  request.set_query("db_");
  EXPECT_EQ(must(bench.reader().hosts(request)).hosts_size(), 1);
  request.set_query("%");
  EXPECT_EQ(must(bench.reader().hosts(request)).hosts_size(), 0);
}

TEST(Registry, GivesAllProgramsOfOneHostOneId) {
  Bench bench;
  EXPECT_EQ(bench.enrol("host-a", "machine-a"), bench.host_id());
  EXPECT_NE(bench.enrol("host-a", "machine-b"), bench.host_id());
}

pb::EnrolRequest request_with(const std::string& token) {
  pb::EnrolRequest request;
  request.set_token(token);
  request.set_component("gateway");
  request.set_hostname("h");
  return request;
}

Result<std::string> sign_anything(const std::string&) { return std::string("pem"); }

TEST(Registry, LetsAnEnrolmentTokenBeUsedOnce) {
  Bench bench;
  const auto token = must(bench.registry().create_enrolment_token(0, "ca", at(0))).token();
  must(bench.registry().enrol(request_with(token), at(1), sign_anything));
  const auto again = bench.registry().enrol(request_with(token), at(2), sign_anything);
  ASSERT_FALSE(again);
  EXPECT_EQ(again.error().code, Errc::kUnauthenticated);
}

TEST(Registry, RefusesExpiredAndUnknownEnrolmentTokens) {
  Bench bench;
  const auto token = must(bench.registry().create_enrolment_token(60, "ca", at(0))).token();
  EXPECT_FALSE(bench.registry().enrol(request_with(token), at(61), sign_anything));
  EXPECT_FALSE(bench.registry().enrol(request_with("guess.ca"), at(1), sign_anything));
  EXPECT_FALSE(bench.registry().enrol(request_with(""), at(1), sign_anything));
}

TEST(Registry, KeepsTheTokenWhenSigningFails) {
  Bench bench;
  const auto token = must(bench.registry().create_enrolment_token(0, "ca", at(0))).token();
  EXPECT_FALSE(bench.registry().enrol(request_with(token), at(1),
                                      [](const std::string&) -> Result<std::string> {
                                        return fail(Errc::kInvalid, "bad request");
                                      }));
  EXPECT_TRUE(bench.registry().enrol(request_with(token), at(1), sign_anything));
}

// SBX-004: of an agent's key only the hash is stored.
TEST(Registry, StoresNoSecretInClear) {
  Bench bench;
  const Secret api = must(bench.registry().create_token(Role::kAdmin, "n", at(0)));
  const std::string enrolment =
      must(bench.registry().create_enrolment_token(0, "ca", at(0))).token();
  pb::CreateAgentKeyRequest request;
  request.set_agent_id("bot");
  const std::string key = must(bench.registry().create_agent_key(request, at(0))).key();
  must(bench.database().execute("PRAGMA wal_checkpoint(TRUNCATE)"));
  const std::string file = must(read_file(bench.path(), 64U << 20));
  EXPECT_EQ(file.find(std::string(api.expose())), std::string::npos);
  EXPECT_EQ(file.find(enrolment.substr(0, 43)), std::string::npos);
  EXPECT_EQ(file.find(key), std::string::npos);
}

TEST(Registry, RevokesAKeyAndRaisesTheVersion) {
  Bench bench;
  pb::CreateAgentKeyRequest request;
  request.set_agent_id("bot");
  const auto created = must(bench.registry().create_agent_key(request, at(0)));
  const auto before = must(bench.registry().agent_keys("default"));
  ASSERT_EQ(before.keys_size(), 1);
  EXPECT_EQ(before.keys(0).agent_id(), "bot");
  const auto revoked = must(bench.registry().revoke_agent_key(created.info().key_id(), at(5)));
  EXPECT_TRUE(revoked.has_revoked());
  const auto after = must(bench.registry().agent_keys("default"));
  EXPECT_EQ(after.keys_size(), 0);
  EXPECT_GT(after.version(), before.version());
  EXPECT_EQ(bench.registry().revoke_agent_key("nothing", at(5)).error().code, Errc::kNotFound);
}

TEST(Registry, RefusesAgentNamesOutsideTheAlphabet) {
  Bench bench;
  for (const std::string& name :
       {std::string(), std::string("a b"), std::string("a\n"), std::string(129, 'a')}) {
    pb::CreateAgentKeyRequest request;
    request.set_agent_id(name);
    EXPECT_FALSE(bench.registry().create_agent_key(request, at(0))) << name;
  }
}

}  // namespace
}  // namespace aispm::collector::test
