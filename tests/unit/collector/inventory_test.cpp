// SPDX-License-Identifier: Apache-2.0
#include <gmock/gmock.h>

#include "tests/unit/collector/support.hpp"

namespace aispm::collector::test {
namespace {

constexpr const char* kSession = "5e551010-0000-7000-8000-000000000001";
constexpr const char* kOther = "5e551010-0000-7000-8000-000000000002";
constexpr std::uint64_t kSpace = 4026532123;

pb::Event make_start(const std::string& session, double seconds, std::uint64_t space = kSpace) {
  pb::Event event = make_event(pb::SOURCE_SANDBOX, seconds);
  event.set_session_id(session);
  event.set_agent_id("alice/agent.py");
  event.mutable_sandbox_start()->set_pid_namespace(space);
  event.mutable_sandbox_start()->add_command("agent.py");
  event.mutable_sandbox_start()->add_mechanisms("seccomp");
  return event;
}

pb::Event make_end(const std::string& session, double seconds) {
  pb::Event event = make_event(pb::SOURCE_SANDBOX, seconds);
  event.set_session_id(session);
  event.set_agent_id("alice/agent.py");
  event.mutable_sandbox_exit()->set_exit_code(3);
  return event;
}

std::string session_of(Bench& bench, const pb::Event& event) {
  return must(bench.reader().event(event.id())).session_id();
}

pb::Event make_bounded(const std::string& session, double seconds,
                       const std::vector<std::string>& lines, const std::string& workspace = "") {
  pb::Event event = make_start(session, seconds);
  for (const auto& line : lines) event.mutable_sandbox_start()->add_boundary(line);
  event.mutable_sandbox_start()->set_workspace(workspace);
  return event;
}

// SBX-034: changing a mount between runs gives a drift event that names the difference.
TEST(Boundaries, AChangedMountIsADetectionThatNamesIt) {
  Bench bench;
  const pb::Event first = make_bounded(kSession, 0, {"egress gateway", "mount read-only /usr"});
  const pb::Event second = make_bounded(
      kOther, 1, {"egress gateway", "mount read-only /usr", "mount read-write /srv/data"});
  bench.report("gateway", {first});
  bench.report("gateway", {second});
  EXPECT_EQ(must(bench.reader().event(first.id())).detections_size(), 0);
  const pb::Event stored = must(bench.reader().event(second.id()));
  ASSERT_EQ(stored.detections_size(), 1);
  EXPECT_EQ(stored.detections(0).rule_id(), "sandbox.boundary_changed");
  EXPECT_EQ(stored.detections(0).evidence(), "+ mount read-write /srv/data");
  EXPECT_EQ(stored.sandbox_start().boundary_size(), 3);
}

TEST(Boundaries, EqualRunsRunsElsewhereAndLateReportsAreNoDrift) {
  Bench bench;
  const std::vector<std::string> lines = {"egress gateway", "mount read-only /usr"};
  const pb::Event first = make_bounded(kSession, 10, lines, "/srv/a");
  const pb::Event equal = make_bounded(kOther, 11, {lines[1], lines[0]}, "/srv/a");
  const pb::Event elsewhere = make_bounded(kSession, 12, {"egress none"}, "/srv/b");
  const pb::Event late = make_bounded(kSession, 5, {"egress none"}, "/srv/a");
  for (const pb::Event& event : {first, equal, elsewhere, late}) {
    bench.report("gateway", {event});
    EXPECT_EQ(must(bench.reader().event(event.id())).detections_size(), 0);
  }
  const pb::Event changed = make_bounded(kOther, 13, {"egress none"}, "/srv/a");
  bench.report("gateway", {changed});
  EXPECT_EQ(must(bench.reader().event(changed.id())).detections(0).evidence(),
            "+ egress none; - egress gateway; - mount read-only /usr");
}

TEST(Sessions, GiveSensorEventsToTheSandboxThatRuns) {
  Bench bench;
  const pb::Event exec = make_exec(7, kSpace, 1);
  bench.report("gateway", {make_start(kSession, 0)});
  bench.report("sensord", {exec});
  const pb::Event stored = must(bench.reader().event(exec.id()));
  EXPECT_EQ(stored.session_id(), kSession);
  EXPECT_EQ(stored.agent_id(), "alice/agent.py");
}

TEST(Sessions, ClaimSensorEventsThatCameBeforeTheStart) {
  Bench bench;
  const pb::Event exec = make_exec(7, kSpace, 1);
  const pb::Event early = make_exec(8, kSpace, -0.2);
  bench.report("sensord", {exec, early});
  ASSERT_EQ(session_of(bench, exec), "");
  bench.report("gateway", {make_start(kSession, 0)});
  EXPECT_EQ(session_of(bench, exec), kSession);
  EXPECT_EQ(session_of(bench, early), kSession);
}

TEST(Sessions, LeaveEventsOfOtherNamespacesAndOtherTimesAlone) {
  Bench bench;
  const pb::Event other_space = make_exec(7, kSpace + 1, 1);
  const pb::Event long_before = make_exec(8, kSpace, -60);
  const pb::Event host_itself = make_exec(9, inventory::kInitialPidNamespace, 1);
  bench.report("sensord", {other_space, long_before, host_itself});
  bench.report("gateway", {make_start(kSession, 0)});
  for (const auto& event : {other_space, long_before, host_itself})
    EXPECT_EQ(session_of(bench, event), "");
}

TEST(Sessions, LeaveEventsAfterTheExitAlone) {
  Bench bench;
  const pb::Event after = make_exec(7, kSpace, 60);
  bench.report("gateway", {make_start(kSession, 0)});
  bench.report("sensord", {after});
  ASSERT_EQ(session_of(bench, after), kSession);  // nobody knows of the exit yet
  bench.report("gateway", {make_end(kSession, 10)});
  EXPECT_EQ(session_of(bench, after), "");
}

// Namespace numbers are reused at once. Every order of arrival must give the same owners.
TEST(Sessions, TellTwoRunsWithTheSameNamespaceNumberApartInEveryOrder) {
  const pb::Event first = make_exec(1, kSpace, 5);
  const pb::Event second_early = make_exec(2, kSpace, 10.05);  // before the second start is stamped
  const pb::Event second = make_exec(3, kSpace, 12);
  std::vector<std::pair<std::string, pb::Event>> arrivals = {{"gateway", make_start(kSession, 0)},
                                                             {"gateway", make_end(kSession, 10)},
                                                             {"gateway", make_start(kOther, 10.1)},
                                                             {"sensord", first},
                                                             {"sensord", second_early},
                                                             {"sensord", second}};
  std::vector<std::size_t> order = {0, 1, 2, 3, 4, 5};
  int tried = 0;
  do {
    if (tried++ % 24 != 0) continue;  // 30 of the 720 orders, spread evenly
    Bench bench;
    for (const std::size_t i : order) bench.report(arrivals[i].first, {arrivals[i].second});
    ASSERT_EQ(session_of(bench, first), kSession) << tried;
    ASSERT_EQ(session_of(bench, second_early), kOther) << tried;
    ASSERT_EQ(session_of(bench, second), kOther) << tried;
  } while (std::ranges::next_permutation(order).found);
}

TEST(Sessions, ReadAsOneStory) {
  Bench bench;
  pb::Event call = make_call(pb::SOURCE_GATEWAY, 2);
  call.set_session_id(kSession);
  call.set_agent_id("alice/agent.py");
  call.add_detections()->set_category("secret");
  call.mutable_decision()->set_outcome(pb::Decision::OUTCOME_REDACT);
  pb::Event denial = make_event(pb::SOURCE_SANDBOX, 3);
  denial.set_session_id(kSession);
  denial.mutable_sandbox_denial()->set_count(4);
  bench.report("sensord",
               {make_exec(7, kSpace, 1), make_exec(7, kSpace, 1.1), make_exec(8, kSpace, 1.5)});
  bench.report("gateway", {make_start(kSession, 0), call, denial, make_end(kSession, 4)});
  const pb::SessionStory story = must(bench.reader().session(kSession));
  const pb::Session& session = story.session();
  EXPECT_EQ(session.processes(), 2U);
  EXPECT_EQ(session.llm_calls(), 1U);
  EXPECT_EQ(session.detections(), 1U);
  EXPECT_EQ(session.redacted(), 1U);
  EXPECT_EQ(session.denied(), 0U);
  EXPECT_EQ(session.sandbox_denials(), 4U);
  EXPECT_EQ(session.exit_code(), 3U);
  EXPECT_FALSE(session.running());
  EXPECT_EQ(session.command(0), "agent.py");
  EXPECT_EQ(session.mechanisms(0), "seccomp");
  ASSERT_EQ(story.events_size(), 7);
  for (int i = 1; i < story.events_size(); ++i)
    EXPECT_LE(story.events(i - 1).time().seconds(), story.events(i).time().seconds());
  EXPECT_FALSE(story.truncated());
}

// SBX-033: the run, its agent and its processes name the policy that holds them.
TEST(Sessions, NameTheProfileEverywhere) {
  Bench bench;
  pb::Event start = make_start(kSession, 0);
  start.mutable_sandbox_start()->set_profile("coding-agent");
  start.mutable_sandbox_start()->set_workspace("/home/alice/project");
  pb::Event use = make_exec(7, kSpace, 1);
  use.mutable_ai_use()->set_evidence("process");
  pb::Event outside = make_exec(8, 0, 1);
  outside.mutable_ai_use()->set_evidence("process");
  pb::Event free = make_call(pb::SOURCE_GATEWAY, 2);
  free.set_agent_id("bob/script");
  free.set_session_id(kOther);
  bench.report("gateway", {start, free});
  bench.report("sensord", {use, outside});
  const pb::SessionList sessions = must(bench.reader().sessions({}));
  ASSERT_EQ(sessions.sessions_size(), 2);
  for (const auto& session : sessions.sessions()) {
    const bool is_held = session.session_id() == kSession;
    EXPECT_EQ(session.profile(), is_held ? "coding-agent" : "");
    EXPECT_EQ(session.workspace(), is_held ? "/home/alice/project" : "");
  }
  const pb::AgentList agents = must(bench.reader().agents({}));
  ASSERT_EQ(agents.agents_size(), 2);
  EXPECT_EQ(agents.agents(0).agent_id(), "alice/agent.py");
  EXPECT_EQ(agents.agents(0).last_session_id(), kSession);
  EXPECT_EQ(agents.agents(0).last_profile(), "coding-agent");
  EXPECT_EQ(agents.agents(1).last_profile(), "");
  const pb::ProcessList processes = must(bench.reader().processes({}));
  ASSERT_EQ(processes.processes_size(), 2);
  for (const auto& process : processes.processes()) {
    const bool is_held = process.process().pid() == 7;
    EXPECT_EQ(process.profile(), is_held ? "coding-agent" : "");
    EXPECT_EQ(process.verdict(), is_held ? "sanctioned" : "unsanctioned");
  }
  EXPECT_EQ(must(bench.reader().overview(0, {}, at(10))).unsanctioned_processes(), 1U);
}

// The sensor names a coding agent by its user, which a sandbox's is not; what it saw first becomes
// the run's.
TEST(Sessions, LeaveNoAgentBehindThatWasOnlyAName) {
  Bench bench;
  pb::Event early = make_exec(7, kSpace, 0.5);
  early.set_agent_id("1627404575/claude-code");
  bench.report("sensord", {early});
  EXPECT_EQ(must(bench.reader().agents({})).agents_size(), 1);
  bench.report("gateway", {make_start(kSession, 0.6)});
  const pb::AgentList agents = must(bench.reader().agents({}));
  ASSERT_EQ(agents.agents_size(), 1);
  EXPECT_EQ(agents.agents(0).agent_id(), "alice/agent.py");
  EXPECT_EQ(must(bench.reader().overview(0, {}, at(10))).agents(), 1U);
}

TEST(Sessions, AreNotFoundByAnUnknownId) {
  Bench bench;
  EXPECT_EQ(bench.reader().session(kSession).error().code, Errc::kNotFound);
}

pb::Event make_use(std::uint32_t pid, bool is_sanctioned, double seconds) {
  pb::Event event = make_exec(pid, 0, seconds);
  event.mutable_ai_use()->set_evidence("endpoint");
  event.mutable_ai_use()->set_provider("openai");
  event.mutable_ai_use()->set_sanctioned(is_sanctioned);
  event.mutable_ai_use()->set_confidence(0.7);
  return event;
}

pb::Event make_exit(std::uint32_t pid, double seconds) {
  pb::Event event = make_exec(pid, 0, seconds);
  event.mutable_process_exit();
  return event;
}

pb::Event make_sensor_call(std::uint32_t pid, double seconds) {
  pb::Event event = make_call(pb::SOURCE_SENSOR, seconds);
  *event.mutable_process() = make_exec(pid, 0, seconds).process();
  return event;
}

TEST(Processes, AppearWhenTheSensorSawAiUseAndNotBefore) {
  Bench bench;
  bench.report("sensord", {make_exec(7, 0, 0)});
  EXPECT_EQ(must(bench.reader().processes({})).processes_size(), 0);
  bench.report("sensord", {make_use(7, false, 1)});
  const auto list = must(bench.reader().processes({}));
  ASSERT_EQ(list.processes_size(), 1);
  EXPECT_EQ(list.processes(0).verdict(), "unsanctioned");
  EXPECT_EQ(list.processes(0).process().pid(), 7U);
  EXPECT_THAT(list.processes(0).providers(), testing::ElementsAre("openai"));
  EXPECT_THAT(list.processes(0).evidence(), testing::ElementsAre("endpoint"));
  EXPECT_TRUE(list.processes(0).running());
}

TEST(Processes, StayUnsanctionedOnceTheyWere) {
  Bench bench;
  bench.report("sensord", {make_use(7, true, 0), make_use(7, false, 1), make_use(7, true, 2)});
  EXPECT_EQ(must(bench.reader().processes({})).processes(0).verdict(), "unsanctioned");
}

TEST(Processes, AreSanctionedOnlyByASanctionedUse) {
  Bench bench;
  bench.report("sensord", {make_sensor_call(7, 0), make_sensor_call(8, 0), make_use(8, true, 1)});
  const auto list = must(bench.reader().processes({}));
  EXPECT_EQ(list.processes(0).verdict(), "sanctioned");    // pid 8, newest first
  EXPECT_EQ(list.processes(1).verdict(), "unsanctioned");  // pid 7: nobody vouched for it
}

TEST(Processes, DoNotRunAfterTheirExitWhicheverComesFirst) {
  Bench bench;
  bench.report("sensord", {make_use(7, false, 0), make_exit(7, 1)});
  bench.report("sensord", {make_exit(8, 1), make_use(8, false, 0)});
  const auto list = must(bench.reader().processes({}));
  ASSERT_EQ(list.processes_size(), 2);
  for (const auto& process : list.processes()) EXPECT_FALSE(process.running());
}

TEST(Processes, DoNotOutliveTheBoot) {
  Bench bench;
  bench.greet("sensord", "boot-1");
  bench.report("sensord", {make_use(7, false, 0)});
  bench.greet("sensord", "boot-1");
  EXPECT_TRUE(must(bench.reader().processes({})).processes(0).running());
  bench.greet("sensord", "boot-2");
  EXPECT_FALSE(must(bench.reader().processes({})).processes(0).running());
}

TEST(Providers, CountUnsanctionedCallsInWhicheverOrderTheVerdictComes) {
  Bench bench;
  bench.report("sensord", {make_sensor_call(7, 0), make_use(7, false, 0), make_use(8, true, 0),
                           make_sensor_call(8, 0)});
  const auto list = must(bench.reader().providers({}));
  ASSERT_EQ(list.providers_size(), 1);
  EXPECT_EQ(list.providers(0).calls(), 2U);
  EXPECT_EQ(list.providers(0).unsanctioned_calls(), 1U);
  EXPECT_THAT(list.providers(0).hosts(), testing::ElementsAre("api.openai.com"));
}

TEST(Providers, DoNotCountTheGatewaysOwnConnectionTwice) {
  Bench bench;
  pb::Event seen = make_sensor_call(7, 0);
  seen.mutable_process()->set_exe("/usr/bin/aispm-gateway");
  bench.report("gateway", {make_call(pb::SOURCE_GATEWAY, 0)});
  bench.report("sensord", {seen});
  EXPECT_EQ(must(bench.reader().providers({})).providers(0).calls(), 1U);
  EXPECT_EQ(bench.count("SELECT COUNT(*) FROM events"), 2);
}

TEST(Agents, SumWhatTheirCallsUsed) {
  Bench bench;
  for (int i = 0; i < 3; ++i) {
    pb::Event call = make_call(pb::SOURCE_GATEWAY, i);
    call.set_agent_id("bot");
    call.set_session_id(kSession);
    call.mutable_decision()->set_outcome(i == 0 ? pb::Decision::OUTCOME_DENY
                                                : pb::Decision::OUTCOME_ALLOW);
    bench.report("gateway", {call});
  }
  const auto list = must(bench.reader().agents({}));
  ASSERT_EQ(list.agents_size(), 1);
  EXPECT_EQ(list.agents(0).llm_calls(), 3U);
  EXPECT_EQ(list.agents(0).denied(), 1U);
  EXPECT_EQ(list.agents(0).input_tokens(), 30U);
  EXPECT_EQ(list.agents(0).sessions(), 1U);
  EXPECT_EQ(list.agents(0).last_session_id(), kSession);
  EXPECT_THAT(list.agents(0).models(), testing::ElementsAre("gpt-x"));
}

TEST(Agents, AreNotChargedForDecisionsInMonitorMode) {
  Bench bench;
  pb::Event call = make_call(pb::SOURCE_GATEWAY, 0);
  call.set_agent_id("bot");
  call.mutable_decision()->set_outcome(pb::Decision::OUTCOME_DENY);
  call.mutable_decision()->set_mode("monitor");
  bench.report("gateway", {call});
  EXPECT_EQ(must(bench.reader().agents({})).agents(0).denied(), 0U);
  EXPECT_EQ(must(bench.reader().events({}, store::Reader::Only::kDecided)).events_size(), 1);
}

TEST(Overview, CountsOnlyItsWindow) {
  Bench bench;
  bench.report("gateway",
               {make_call(pb::SOURCE_GATEWAY, -7200), make_call(pb::SOURCE_GATEWAY, -60)});
  const auto hour = must(bench.reader().overview(1, {}, at(0)));
  EXPECT_EQ(hour.llm_calls(), 1U);
  EXPECT_EQ(hour.events(), 1U);
  EXPECT_EQ(hour.input_tokens(), 10U);
  const auto day = must(bench.reader().overview(0, {}, at(0)));
  EXPECT_EQ(day.hours(), 24U);
  EXPECT_EQ(day.llm_calls(), 2U);
  std::uint64_t sum = 0;
  for (const auto& bucket : day.calls_over_time()) sum += bucket.calls();
  EXPECT_EQ(sum, 2U);
  EXPECT_EQ(day.calls_by_provider(0).name(), "openai");
  EXPECT_EQ(day.calls_by_model(0).count(), 2U);
}

TEST(Overview, CountsAConnectedHostAsReporting) {
  Bench bench;
  EXPECT_EQ(must(bench.reader().overview(1, {}, at(3600))).hosts_reporting(), 0U);
  EXPECT_EQ(must(bench.reader().overview(1, {bench.host_id()}, at(3600))).hosts_reporting(), 1U);
}

}  // namespace
}  // namespace aispm::collector::test
