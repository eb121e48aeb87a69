// SPDX-License-Identifier: Apache-2.0
#include "sensor/behaviour/behaviour.hpp"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

namespace aispm::sensor {
namespace {

using testing::ElementsAre;
using testing::Field;
using testing::IsEmpty;

model::ProcessId id(std::uint32_t pid) { return {pid, BootTime{pid * 1'000'000'007ULL + 1}}; }

model::Process process_of(std::uint32_t pid, const std::string& exe) {
  model::Process process;
  process.id = id(pid);
  process.user = "ann";
  process.exe = exe;
  process.argv = {exe};
  return process;
}

auto rule(const char* name) {
  return Field("rule_id", &model::Detection::rule_id, std::string("behaviour.") + name);
}

class BehaviourTest : public testing::Test {
 protected:
  BehaviourTest() : behaviour_(make_parts()) {
    behaviour_.adopt(process_of(10, "/usr/bin/codex"), "Codex");
  }
  static Behaviour::Parts make_parts() {
    Behaviour::Parts parts;
    parts.rules = BehaviourRules::builtin().value();
    parts.on_join = [](const model::ProcessId&, std::uint32_t) {};
    parts.descendants = [](const model::ProcessId&) { return std::vector<model::ProcessId>(); };
    parts.environment = [](const model::ProcessId&) { return Secret(); };
    return parts;
  }
  FileOpen open_of(const std::string& path, bool writes = false) {
    FileOpen open;
    open.actor.id = id(10);
    open.path = path;
    open.writes = writes;
    return open;
  }
  Behaviour behaviour_;
  const WallTime now_{1'700'000'000'000'000'000};
};

// SEN-002
TEST_F(BehaviourTest, AShellOfAnAgentIsToldWithItsAgent) {
  AgentFork fork;
  fork.actor.id = id(10);
  fork.child = id(11);
  behaviour_.on_fork(fork);
  EXPECT_THAT(behaviour_.on_exec(process_of(11, "/usr/bin/dash"), now_),
              ElementsAre(rule("shell_spawn")));
  EXPECT_EQ(behaviour_.agent_of(id(11)), "ann/codex");
}

TEST_F(BehaviourTest, ABusyboxCalledShIsAShell) {
  auto shell = process_of(11, "/bin/something");
  shell.parent = id(10);
  shell.argv = {"/bin/sh", "-c", "id"};
  EXPECT_THAT(behaviour_.on_exec(shell, now_), ElementsAre(rule("shell_spawn")));
}

TEST_F(BehaviourTest, AShellOfAPersonIsNobodysBusiness) {
  EXPECT_THAT(behaviour_.on_exec(process_of(20, "/bin/bash"), now_), IsEmpty());
}

// SEN-006
TEST_F(BehaviourTest, AnAgentThatReadsASshKeyIsTold) {
  const auto file =
      behaviour_.on_open(process_of(10, "/usr/bin/codex"), open_of("/root/.ssh/id_rsa"), now_);
  ASSERT_TRUE(file);
  EXPECT_EQ(file->access.file_class, "sensitive");
  EXPECT_EQ(file->access.operation, "read");
  EXPECT_THAT(file->detections, ElementsAre(rule("file.ssh_key")));
  EXPECT_EQ(file->detections[0].severity, model::Severity::kHigh);
}

// SEN-004: by how it was opened, not by its name alone
TEST_F(BehaviourTest, OnlyWritingKernelSettingsIsTold) {
  const auto agent = process_of(10, "/usr/bin/codex");
  const std::string path = "/proc/sys/kernel/core_pattern";
  EXPECT_FALSE(behaviour_.on_open(agent, open_of(path), now_));
  const auto file = behaviour_.on_open(agent, open_of(path, true), now_);
  ASSERT_TRUE(file);
  EXPECT_THAT(file->detections, ElementsAre(rule("file.kernel_settings")));
}

TEST_F(BehaviourTest, OrdinaryFilesAreNotTold) {
  EXPECT_FALSE(
      behaviour_.on_open(process_of(10, "/usr/bin/codex"), open_of("/srv/app/main.c", true), now_));
}

// An agent that lists processes opens files in a new folder for each.
TEST_F(BehaviourTest, FoldersOfProcessesAreOnePlaceOfABaseline) {
  const auto agent = process_of(10, "/usr/bin/codex");
  for (std::size_t pid = 1; pid <= 2 * Baselines::kMaxItems; ++pid)
    behaviour_.on_open(agent, open_of("/proc/" + std::to_string(pid) + "/status"), now_);
  model::ComponentHealth health;
  behaviour_.add_health(health);
  EXPECT_EQ(health.losses["baselines.not_learned"], 0U);
  const std::string saved = behaviour_.baselines().save();
  EXPECT_THAT(saved, testing::HasSubstr("\"/proc/<id>\""));
  EXPECT_THAT(saved, testing::Not(testing::HasSubstr("/proc/1")));
  behaviour_.on_open(agent, open_of("/proc/7/task/7/stat"), now_);
  behaviour_.on_open(agent, open_of("/proc/sys/kernel/osrelease"), now_);
  EXPECT_THAT(behaviour_.baselines().save(), testing::HasSubstr("\"/proc/<id>/task/<id>\""));
  EXPECT_THAT(behaviour_.baselines().save(), testing::HasSubstr("/proc/sys/kernel"));
}

// SEN-003
TEST_F(BehaviourTest, APacketSocketIsTold) {
  RawSocket socket;
  socket.actor.id = id(10);
  socket.family = 17;
  EXPECT_THAT(behaviour_.on_raw_socket(process_of(10, "/usr/bin/codex"), socket),
              ElementsAre(rule("raw_socket")));
  EXPECT_THAT(behaviour_.on_raw_socket(process_of(20, "/usr/bin/tcpdump"), socket), IsEmpty());
}

// SEN-008
TEST_F(BehaviourTest, FiftyOneConnectionsGiveOneAlert) {
  int alerts = 0;
  for (std::uint64_t i = 0; i < 60; ++i)
    for (const auto& one : behaviour_.on_connect(process_of(10, "/usr/bin/codex"), {}, {i}, now_))
      alerts += one.rule_id == "behaviour.connection_rate" ? 1 : 0;
  EXPECT_EQ(alerts, 1);
}

// SEN-026
TEST_F(BehaviourTest, ANewDestinationAfterLearningIsToldOnce) {
  const auto agent = process_of(10, "/usr/bin/codex");
  model::SocketConnect known;
  known.destination_address = "10.0.0.1";
  known.destination_port = 443;
  model::SocketConnect fresh = known;
  fresh.destination_address = "10.0.0.2";
  const WallTime later{now_.nanoseconds + 2 * 86'400'000'000'000};
  EXPECT_THAT(behaviour_.on_connect(agent, known, {1}, now_), IsEmpty());
  EXPECT_THAT(behaviour_.on_connect(agent, known, {2}, later), IsEmpty());
  EXPECT_THAT(behaviour_.on_connect(agent, fresh, {3}, later),
              ElementsAre(rule("unexpected_dependency")));
  EXPECT_THAT(behaviour_.on_connect(agent, fresh, {4}, later), IsEmpty());
}

TEST_F(BehaviourTest, OurOwnProgramsAreNoAgents) {
  behaviour_.adopt(process_of(30, "/usr/bin/aispm-gateway"), "");
  EXPECT_THAT(behaviour_.agent_of(id(30)), IsEmpty());
}

}  // namespace
}  // namespace aispm::sensor
