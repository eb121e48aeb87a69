// SPDX-License-Identifier: Apache-2.0
// GW-050: sessions, and what happened in them.
#include "gateway/proxy/observe/session_log.hpp"

#include <gmock/gmock.h>

#include <boost/json/parse.hpp>
#include <boost/json/value.hpp>

namespace aispm::gateway {
namespace {

namespace json = boost::json;

model::Event event(const std::string& tenant, const std::string& session, int number,
                   model::Outcome outcome = model::Outcome::kAllow) {
  model::Event made;
  made.id = "e" + std::to_string(number);
  made.time = WallTime{number * 1'000'000'000LL};
  made.tenant = tenant;
  made.agent_id = tenant + "/agent";
  made.session_id = session;
  model::LlmCall call;
  call.request_model = "m" + std::to_string(number);
  made.body = std::move(call);
  made.decision.emplace();
  made.decision->outcome = outcome;
  made.decision->mode = "enforce";
  return made;
}

std::vector<std::string> ids(const std::string& body, const char* list, const char* key) {
  std::vector<std::string> all;
  const json::value document = json::parse(body);
  for (const json::value& one : document.at(list).as_array())
    all.emplace_back(std::string_view(one.at(key).as_string()));
  return all;
}

SessionFilter of_tenant(const std::string& tenant) {
  SessionFilter filter;
  filter.tenant = tenant;
  return filter;
}

using ::testing::ElementsAre;
using ::testing::IsEmpty;

TEST(SessionLog, ListsEventsInOrderAndSessionsLatestFirst) {
  SessionLog log({});
  log.add(event("a", "one", 1));
  log.add(event("a", "two", 2, model::Outcome::kDeny));
  log.add(event("a", "one", 3));
  EXPECT_THAT(ids(log.list({}), "sessions", "session_id"), ElementsAre("one", "two"));
  const auto events = log.list_events("one", {});
  ASSERT_TRUE(events);
  EXPECT_THAT(ids(*events, "events", "event_id"), ElementsAre("e1", "e3"));
  const json::value sessions = json::parse(log.list({}));
  EXPECT_EQ(sessions.at("sessions").at(1).at("denied").to_number<int>(), 1);
}

TEST(SessionLog, SaysWhenASessionBeganAndWhenItsLastEventDid) {
  SessionLog log({});
  for (const int second : {2, 1, 3, 2}) log.add(event("a", "one", second));
  const json::value session = json::parse(log.list({})).at("sessions").at(0);
  const auto time_at = [&](const char* key) {
    return std::string(std::string_view(session.at(key).as_string()));
  };
  EXPECT_EQ(time_at("first"), to_rfc3339(event("a", "one", 1).time));
  EXPECT_EQ(time_at("last"), to_rfc3339(event("a", "one", 3).time));
}

TEST(SessionLog, KeepsAgentsOfATenantApart) {
  SessionLog log({});
  log.add(event("a", "same", 1));
  model::Event other = event("a", "same", 2);
  other.agent_id = "a/other";
  log.add(other);
  EXPECT_THAT(ids(log.list({}), "sessions", "agent"), ElementsAre("a/other", "a/agent"));
  EXPECT_FALSE(log.list_events("same", of_tenant("a")));
  SessionFilter filter;
  filter.agent = "a/other";
  const auto events = log.list_events("same", filter);
  ASSERT_TRUE(events);
  EXPECT_THAT(ids(*events, "events", "event_id"), ElementsAre("e2"));
}

TEST(SessionLog, KeepsTenantsApart) {
  SessionLog log({});
  log.add(event("a", "same", 1));
  log.add(event("b", "same", 2));
  log.add(event("b", "other", 3));
  EXPECT_THAT(ids(log.list(of_tenant("a")), "sessions", "session_id"), ElementsAre("same"));
  const auto of_b = log.list_events("same", of_tenant("b"));
  ASSERT_TRUE(of_b);
  EXPECT_THAT(ids(*of_b, "events", "event_id"), ElementsAre("e2"));
  EXPECT_EQ(log.list_events("other", of_tenant("a")).error().code, Errc::kNotFound);
  EXPECT_EQ(log.list_events("same", {}).error().code, Errc::kInvalid);  // whose?
}

TEST(SessionLog, ForgetsTheSessionThatWasIdleLongestAndSaysSo) {
  SessionLog log({.sessions = 2, .events = 3});
  log.add(event("a", "one", 1));
  log.add(event("a", "two", 2));
  log.add(event("a", "one", 3));
  log.add(event("a", "three", 4));
  EXPECT_THAT(ids(log.list({}), "sessions", "session_id"), ElementsAre("three", "one"));
  for (int i = 5; i < 9; ++i) log.add(event("a", "one", i));
  EXPECT_THAT(ids(*log.list_events("one", {}), "events", "event_id"),
              ElementsAre("e6", "e7", "e8"));
  EXPECT_EQ(json::parse(log.list({})).at("forgotten").to_number<int>(), 5);
  SessionLog none({.sessions = 0, .events = 3});
  none.add(event("a", "one", 1));
  EXPECT_THAT(ids(none.list({}), "sessions", "session_id"), IsEmpty());
}

TEST(SessionLog, PagesAndRefusesWhatItDoesNotKnow) {
  SessionLog log({});
  for (int i = 0; i < 5; ++i) log.add(event("a", "s" + std::to_string(i), i));
  const auto filter = read_session_filter("?offset=1&limit=2&tenant=a");
  ASSERT_TRUE(filter);
  EXPECT_THAT(ids(log.list(*filter), "sessions", "session_id"), ElementsAre("s3", "s2"));
  EXPECT_FALSE(read_session_filter("?limit=501"));
  EXPECT_FALSE(read_session_filter("?colour=red"));
}

}  // namespace
}  // namespace aispm::gateway
