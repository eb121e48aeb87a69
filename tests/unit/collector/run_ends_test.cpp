// SPDX-License-Identifier: Apache-2.0
#include "gateway/collector/inventory/run_ends.hpp"

#include <gtest/gtest.h>

#include "tests/unit/collector/support.hpp"

namespace aispm::collector::test {
namespace {

constexpr const char* kSession = "5e551010-0000-7000-8000-000000000001";
constexpr std::uint64_t kSpace = 4026532123;
constexpr std::uint32_t kInit = 4711;
constexpr std::uint64_t kInitStart = 55'120'000'000;  // as the launcher reads it, in ticks

pb::Event of_run(double seconds) {
  pb::Event event = make_event(pb::SOURCE_SANDBOX, seconds);
  event.set_session_id(kSession);
  event.set_agent_id("alice/agent.py");
  return event;
}

pb::Event make_init_start(double seconds) {
  pb::Event event = of_run(seconds);
  event.mutable_sandbox_start()->set_pid_namespace(kSpace);
  event.mutable_sandbox_start()->add_mechanisms("seccomp");
  event.mutable_sandbox_start()->add_mechanisms("init:" + std::to_string(kInit) + "@" +
                                                std::to_string(kInitStart));
  return event;
}

pb::Event make_exit(std::uint32_t pid, std::uint64_t start, double seconds) {
  pb::Event event = make_event(pb::SOURCE_SENSOR, seconds);
  event.mutable_process()->set_pid(pid);
  event.mutable_process()->set_start_boottime_ns(start);
  event.mutable_process()->set_pid_namespace(kSpace);
  event.mutable_process_exit()->set_signal(9);
  return event;
}

// aispm-run was killed: nobody is left to send a SandboxExit.
TEST(RunEnds, AreThoseOfProcess1WhereNobodySaysSo) {
  const pb::Event start = make_init_start(0);
  const pb::Event exit = make_exit(kInit, kInitStart + 3'456'789, 5);
  for (const bool is_late : {false, true}) {
    Bench bench;
    if (is_late) bench.report("sensord", {exit});
    bench.report("gateway", {start});
    if (!is_late) bench.report("sensord", {exit});
    const pb::Session session = must(bench.reader().session(kSession)).session();
    EXPECT_FALSE(session.running()) << is_late;
    EXPECT_EQ(session.signal(), 9U);
    EXPECT_EQ(session.end().seconds(), exit.time().seconds());
  }
}

TEST(RunEnds, AreNotThoseOfOtherProcesses) {
  Bench bench;
  bench.report("sensord", {make_exit(kInit, kInitStart + 1, -30)});  // of a run before it
  bench.report("gateway", {make_init_start(0)});
  bench.report("sensord",
               {make_exit(kInit + 1, kInitStart + 1, 1),
                make_exit(kInit, kInitStart + 10'000'000, 1), make_exit(kInit, kInitStart - 1, 1)});
  EXPECT_TRUE(must(bench.reader().session(kSession)).session().running());
}

TEST(RunEnds, AreWhatTheSandboxSaysWheneverItDoes) {
  const pb::Event start = make_init_start(0);
  const pb::Event exit = make_exit(kInit, kInitStart, 4);
  pb::Event end = of_run(4.5);
  end.mutable_sandbox_exit()->set_exit_code(3);
  for (const bool is_first : {false, true}) {
    Bench bench;
    bench.report("gateway", {start});
    if (is_first) bench.report("gateway", {end});
    bench.report("sensord", {exit});
    if (!is_first) bench.report("gateway", {end});
    const pb::Session session = must(bench.reader().session(kSession)).session();
    EXPECT_FALSE(session.running());
    EXPECT_EQ(session.exit_code(), 3U) << is_first;
    EXPECT_EQ(session.signal(), 0U);
    EXPECT_EQ(session.end().seconds(), end.time().seconds());
  }
}

}  // namespace
}  // namespace aispm::collector::test
