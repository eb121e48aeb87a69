// SPDX-License-Identifier: Apache-2.0
#include "sensor/pipeline.hpp"

#include "tests/support/client_hello.hpp"
#include "tests/support/dns_message.hpp"
#include "tests/unit/sensor/pipeline_fixture.hpp"

namespace aispm::sensor {
namespace {

using namespace std::string_literals;
using testing::ElementsAre;
using testing::IsEmpty;
using testing::SizeIs;

TEST_F(PipelineTest, ReportsAnExecWithItsProcess) {
  take(records::exec("true\0bin\0usr\0"s, "true\0--now\0"s));
  ASSERT_THAT(of<model::ProcessExec>(), SizeIs(1));
  const model::Event event = of<model::ProcessExec>()[0].first;
  EXPECT_EQ(event.source, model::Source::kSensor);
  ASSERT_TRUE(event.process);
  EXPECT_EQ(event.process->id.pid, records::kPid);
  EXPECT_EQ(event.process->exe, "/usr/bin/true");
  EXPECT_THAT(event.process->argv, ElementsAre("true", "--now"));
  EXPECT_EQ(event.process->user, "user1000");
  EXPECT_EQ(event.process->pid_namespace, 0xf0000001U);
  EXPECT_THAT(started_, ElementsAre(records::kPid));
  EXPECT_THAT(of<model::AiUse>(), IsEmpty()) << "true is no AI";
}

TEST_F(PipelineTest, HoldsAnExitBackUntilThePlaintextBeforeItIsTaken) {
  take(records::exec("true\0"s, "true\0"s));
  take(records::exit(3));
  EXPECT_THAT(of<model::ProcessExit>(), IsEmpty());
  pipeline_.end_batch();
  ASSERT_THAT(of<model::ProcessExit>(), SizeIs(1));
  EXPECT_EQ(of<model::ProcessExit>()[0].second.exit_code, 3U);
  EXPECT_EQ(of<model::ProcessExit>()[0].first.process->exe, "/true");
}

TEST_F(PipelineTest, ReportsAListenerOfAModelServerAsAiUse) {
  take(records::bytes_of(records::listen_event(11434)));
  ASSERT_THAT(of<model::SocketListen>(), SizeIs(1));
  EXPECT_EQ(of<model::SocketListen>()[0].second.port, 11434);
  ASSERT_THAT(of<model::AiUse>(), SizeIs(1));
  EXPECT_EQ(of<model::AiUse>()[0].second.evidence, "listener");
  EXPECT_FALSE(of<model::AiUse>()[0].second.sanctioned);
}

TEST_F(PipelineTest, ReportsAnOrdinaryListenerAsThatOnly) {
  auto event = records::listen_event(2222);
  event.actor = records::actor("sshd");
  take(records::bytes_of(event));
  EXPECT_THAT(of<model::SocketListen>(), SizeIs(1));
  EXPECT_THAT(of<model::AiUse>(), IsEmpty());
}

// A sandbox's launcher opens doors inside it before its child becomes the agent; those are no ports
// of the agent.
class LauncherTest : public PipelineTest {
 protected:
  LauncherTest() {
    pipeline_.set_launchers({"/usr/bin/aispm-run"});
    aispm_exec_event exec = records::exec_event("aispm-run\0bin\0usr\0"s, 10);
    exec.actor = records::actor("aispm-run");
    take(records::exec_bytes(exec, "aispm-run\0"s));
  }
  // A listener that the process of the launcher started.
  void listen(std::uint16_t port, std::string_view comm, std::uint32_t pid) {
    auto event = records::listen_event(port);
    event.actor = records::actor(comm);
    event.actor.parent_tgid = records::kPid;
    event.actor.parent_start_boottime_ns = records::kStart;
    event.header.tgid = pid;
    event.header.start_boottime_ns = 8'000'000'000;
    take(records::bytes_of(event));
  }
  std::size_t unusual() const {
    std::size_t found = 0;
    for (const model::Event& event : sink_.events)
      for (const model::Detection& detection : event.detections)
        found += detection.rule_id == "port.unusual";
    return found;
  }
};

TEST_F(LauncherTest, ItsDoorsAreNoPortsOfTheAgent) {
  listen(53, "aispm-run", 5000);
  listen(3128, "aispm-run", 5000);
  EXPECT_EQ(unusual(), 0U);
  ASSERT_THAT(of<model::SocketListen>(), SizeIs(2)) << "they are still told";
  EXPECT_EQ(of<model::SocketListen>()[0].first.process->exe, "/usr/bin/aispm-run");
}

TEST_F(LauncherTest, WhatTheAgentOpensIsJudged) {
  listen(53, "aispm-run", 5000);
  aispm_exec_event exec = records::exec_event("python3\0bin\0usr\0"s, 8);
  exec.header.tgid = 5000;
  exec.header.start_boottime_ns = 8'000'000'000;
  take(records::exec_bytes(exec, "python3\0"s));
  listen(54, "python3", 5000);
  EXPECT_EQ(unusual(), 1U);
  listen(55, "aispm-run", 5000);
  EXPECT_EQ(unusual(), 2U) << "a borrowed name";
  listen(56, "python3", 5001);
  EXPECT_EQ(unusual(), 3U) << "a child that has another name already";
}

TEST_F(PipelineTest, ReportsAConnectionWithItsOutcome) {
  take(records::bytes_of(records::connect_event(443, AISPM_CONNECT_FAILED)));
  ASSERT_THAT(of<model::SocketConnect>(), SizeIs(1));
  const model::SocketConnect connect = of<model::SocketConnect>()[0].second;
  EXPECT_EQ(connect.destination_address, "192.0.2.7");
  EXPECT_EQ(connect.destination_port, 443);
  EXPECT_EQ(connect.outcome, "failed");
}

TEST_F(PipelineTest, NamesADestinationThatADnsAnswerLedToSEN007) {
  const std::string record = test::dns_record(1, "\xc0\x00\x02\x07"s);  // 192.0.2.7
  take(records::name_bytes(AISPM_NAME_DNS, AISPM_TLS_READ, 53,
                           test::dns_answer("api.example.com", record, 1)));
  take(records::bytes_of(records::connect_event(443, AISPM_CONNECT_ESTABLISHED)));
  ASSERT_THAT(of<model::SocketConnect>(), SizeIs(1));
  EXPECT_EQ(of<model::SocketConnect>()[0].second.name, "api.example.com");
  EXPECT_EQ(of<model::SocketConnect>()[0].second.name_source, "dns");
}

TEST_F(PipelineTest, AnUnnamedDestinationHasNoName) {
  take(records::bytes_of(records::connect_event(443, AISPM_CONNECT_ESTABLISHED)));
  ASSERT_THAT(of<model::SocketConnect>(), SizeIs(1));
  EXPECT_EQ(of<model::SocketConnect>()[0].second.name, "");
  EXPECT_EQ(of<model::SocketConnect>()[0].second.name_source, "");
}

// Ciphertext is enough: the name in the hello makes the process a client in the inventory.
TEST_F(PipelineTest, AServerNameAloneMakesAnInventoryObjectSEN011) {
  take(records::name_bytes(AISPM_NAME_TLS_HELLO, AISPM_TLS_WRITE, 443,
                           test::make_client_hello("api.deepseek.com")));
  pipeline_.finish({10'000'000'000});
  ASSERT_THAT(of<model::Asset>(), SizeIs(1));
  const model::Asset asset = of<model::Asset>()[0].second;
  EXPECT_EQ(asset.kind, "sdk_client");
  EXPECT_EQ(asset.provider, "deepseek");
  ASSERT_THAT(asset.evidence, SizeIs(1));
  EXPECT_EQ(asset.evidence[0].type, "domain");
  EXPECT_EQ(asset.evidence[0].value, "api.deepseek.com");
}

// A resolver asks for everybody's names and is no client of any of them.
TEST_F(PipelineTest, ANameThatWasOnlyLookedUpMakesNone) {
  const std::string record = test::dns_record(1, "\xc0\x00\x02\x07"s);
  take(records::name_bytes(AISPM_NAME_DNS, AISPM_TLS_READ, 53,
                           test::dns_answer("api.deepseek.com", record, 1)));
  pipeline_.finish({10'000'000'000});
  EXPECT_THAT(of<model::NameSeen>(), SizeIs(1));
  EXPECT_THAT(of<model::Asset>(), IsEmpty());
}

TEST_F(PipelineTest, CountsEveryRecordThatCannotBeRightAndGoesOn) {
  take("");
  take("short");
  take(records::tls("", AISPM_TLS_READ));
  take(records::bytes_of(records::header(99, sizeof(aispm_event_header))));
  EXPECT_THAT(sink_.events, IsEmpty());
  EXPECT_EQ(health().losses["decode.malformed"], 4U);
  EXPECT_EQ(health().counters["records"], 0U);
  take(records::exit(0));
  pipeline_.end_batch();
  EXPECT_THAT(of<model::ProcessExit>(), SizeIs(1));
  EXPECT_EQ(health().counters["records"], 1U);
}

// LOST means lost: what no part of the sensor could decode is told apart.
TEST_F(PipelineTest, CountsPlaintextThatWasJoinedTooLateAsNotDecoded) {
  auto event = records::tls_event(20, AISPM_TLS_WRITE, 5000);
  event.flags = AISPM_TLS_LAST_OF_CALL;
  take(records::bytes_of(event, "in the middle of it "));
  const model::ComponentHealth health = this->health();
  EXPECT_EQ(health.counters.at("not_decoded.joined_midway"), 1U);
  for (const auto& [cause, count] : health.losses) EXPECT_EQ(count, 0U) << cause;
}

}  // namespace
}  // namespace aispm::sensor
