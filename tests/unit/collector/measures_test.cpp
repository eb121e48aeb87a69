// SPDX-License-Identifier: Apache-2.0
#include <gmock/gmock.h>

#include "tests/unit/collector/fleet_support.hpp"

namespace aispm::collector::test {
namespace {

using ::testing::ElementsAre;
using ::testing::UnorderedElementsAre;

pb::Event make_coverage(std::uint32_t pid, std::uint64_t wire, std::uint64_t plain,
                        double seconds) {
  pb::Event event = make_sensor_event(seconds, "alice/agent.py");
  event.mutable_process()->set_pid(pid);
  auto& coverage = *event.mutable_tls_coverage();
  coverage.set_connections(2);
  coverage.set_wire_bytes(wire);
  coverage.set_plaintext_bytes(plain);
  if (plain >= wire) return event;
  auto& gap = *coverage.add_gaps();
  gap.set_library("rustls");
  gap.set_reason("no probe site");
  gap.set_connections(1);
  gap.set_wire_bytes(wire - plain);
  return event;
}

TEST(Coverage, KeepsTheNewestTotalsOfEachProcess) {
  FleetBench bench;
  bench.report("sensord", {make_coverage(1, 100, 50, 1), make_coverage(2, 1000, 1000, 1)});
  bench.report("sensord", {make_coverage(1, 400, 100, 9)});
  bench.report("sensord", {make_coverage(1, 200, 80, 5)});  // late
  const pb::CoverageList list = must(bench.fleet().coverage({}));
  ASSERT_EQ(list.rows_size(), 2);
  const pb::Coverage& worst = list.rows(0);
  EXPECT_EQ(worst.process().pid(), 1U);
  EXPECT_EQ(worst.wire_bytes(), 400U);
  EXPECT_DOUBLE_EQ(worst.share(), 0.25);
  ASSERT_EQ(worst.gaps_size(), 1);
  EXPECT_EQ(worst.gaps(0).reason(), "no probe site");
  EXPECT_EQ(worst.gaps(0).wire_bytes(), 300U);
  EXPECT_EQ(list.rows(1).gaps_size(), 0);
  EXPECT_EQ(list.total().wire_bytes(), 1400U);
  EXPECT_EQ(list.total().plaintext_bytes(), 1100U);
}

TEST(Coverage, IsSummedByAgentAndHost) {
  FleetBench bench;
  bench.report("sensord", {make_coverage(1, 100, 50, 1), make_coverage(2, 300, 150, 1)});
  for (const char* by : {"agent", "host"}) {
    pb::ListCoverageRequest request;
    request.set_by(by);
    const pb::CoverageList list = must(bench.fleet().coverage(request));
    ASSERT_EQ(list.rows_size(), 1);
    EXPECT_EQ(list.rows(0).processes(), 2U);
    EXPECT_EQ(list.rows(0).wire_bytes(), 400U);
    EXPECT_EQ(list.rows(0).gaps(0).wire_bytes(), 200U);
    EXPECT_EQ(list.rows(0).agent_id(), std::string(by) == "agent" ? "alice/agent.py" : "");
    EXPECT_EQ(list.rows(0).hostname(), std::string(by) == "host" ? "host-a" : "");
  }
  pb::ListCoverageRequest bad;
  bad.set_by("moon");
  EXPECT_EQ(bench.fleet().coverage(bad).error().code, Errc::kInvalid);
}

TEST(Names, AreKeptByProgram) {
  FleetBench bench;
  pb::Event event = make_sensor_event(1);
  event.mutable_name_seen()->set_name("api.openai.com");
  event.mutable_name_seen()->set_source("sni");
  event.mutable_name_seen()->set_provider("openai");
  pb::Event again = event;
  again.set_id(make_uuid());
  bench.report("sensord", {event, again});
  const pb::SeenNameList list = must(bench.fleet().names({}));
  ASSERT_EQ(list.names_size(), 1);
  EXPECT_EQ(list.names(0).name(), "api.openai.com");
  EXPECT_EQ(list.names(0).program(), "/usr/bin/python3");
  EXPECT_EQ(list.names(0).count(), 2U);
  EXPECT_EQ(list.names(0).provider(), "openai");
}

pb::Event make_timed_call(double seconds, std::uint64_t tokens, std::uint64_t duration_us) {
  pb::Event call = make_call(pb::SOURCE_GATEWAY, seconds);
  call.set_agent_id("billing-bot");
  call.mutable_llm_call()->set_status(200);
  call.mutable_llm_call()->set_input_tokens(tokens);
  call.mutable_llm_call()->set_duration_us(duration_us);
  return call;
}

// INV-014
TEST(Baselines, AreComputedFromStoredCalls) {
  FleetBench bench;
  std::vector<pb::Event> calls;
  for (std::uint64_t i = 1; i <= 100; ++i) calls.push_back(make_timed_call(i, i * 10, i * 1000));
  calls.back().mutable_llm_call()->set_status(500);
  calls.back().mutable_llm_call()->add_tools_called("lookup");
  bench.report("gateway", calls);
  const pb::Baseline baseline = must(bench.fleet().baseline("billing-bot", 1, at(200)));
  EXPECT_EQ(baseline.calls(), 100U);
  EXPECT_DOUBLE_EQ(baseline.input_tokens().mean(), 505);
  EXPECT_EQ(baseline.input_tokens().p50(), 500U);
  EXPECT_EQ(baseline.input_tokens().p95(), 950U);
  EXPECT_EQ(baseline.input_tokens().p99(), 990U);
  EXPECT_EQ(baseline.latency_us().max(), 100'000U);
  EXPECT_EQ(baseline.failures(), 1U);
  EXPECT_EQ(baseline.models(0).name(), "gpt-x");
  EXPECT_EQ(baseline.models(0).count(), 100U);
  EXPECT_EQ(baseline.tools(0).name(), "lookup");
  EXPECT_EQ(bench.fleet().baseline("nobody", 1, at(200)).error().code, Errc::kNotFound);
}

// INV-014
TEST(Baselines, AreExportedImportedAndCompared) {
  FleetBench bench;
  std::vector<pb::Event> calls;
  for (int i = 0; i < 30; ++i) calls.push_back(make_timed_call(i, 100, 1000));
  bench.report("gateway", calls);
  const pb::Baseline exported = must(bench.fleet().baseline("billing-bot", 1, at(60)));
  must(bench.book().import_baseline(exported, "ops (1234abcd)", at(60)));
  pb::GetBaselineRequest request;
  request.set_agent_id("billing-bot");
  request.set_hours(1);
  EXPECT_EQ(must(bench.fleet().baseline_report(request, at(60))).deviations_size(), 0);
  calls.clear();
  for (int i = 0; i < 30; ++i) {
    calls.push_back(make_timed_call(7200 + i, 1000, 1000));
    calls.back().mutable_llm_call()->set_request_model("gpt-y");
  }
  bench.report("gateway", calls);
  const pb::BaselineReport report = must(bench.fleet().baseline_report(request, at(7300)));
  EXPECT_THAT(report.deviations(),
              UnorderedElementsAre("new model: gpt-y",
                                   "mean input tokens: 10.0 times the baseline (1000 instead of "
                                   "100)"));
  EXPECT_EQ(report.reference().imported_by(), "ops (1234abcd)");
  ASSERT_EQ(must(bench.fleet().baselines({})).baselines_size(), 1);
}

TEST(Baselines, AreRefusedWhenTheyAreNoBaselines) {
  FleetBench bench;
  pb::Baseline baseline;
  const auto code = [&] {
    const auto done = bench.book().import_baseline(baseline, "me", at(1));
    return done ? Errc::kInternal : done.error().code;
  };
  EXPECT_EQ(code(), Errc::kInvalid);  // format
  baseline.set_format(1);
  EXPECT_EQ(code(), Errc::kInvalid);  // agent
  baseline.set_agent_id("a b");
  EXPECT_EQ(code(), Errc::kInvalid);
  baseline.set_agent_id("bot");
  baseline.mutable_latency_us()->set_mean(-1);
  EXPECT_EQ(code(), Errc::kInvalid);
  baseline.clear_latency_us();
  for (int i = 0; i < 65; ++i) baseline.add_tools()->set_name("t" + std::to_string(i));
  EXPECT_EQ(code(), Errc::kInvalid);
}

std::vector<std::uint64_t> counts_of(const pb::InventorySummary& summary,
                                     const std::string& entity) {
  for (const auto& count : summary.entities())
    if (count.entity() == entity)
      return {count.total(), count.high_risk(), count.unowned(), count.no_policy()};
  return {};
}

// INV-010: total, high risk, unowned, no policy.
TEST(Summary, CountsEntitiesAsTheyAre) {
  FleetBench bench;
  pb::Event judged = make_timed_call(1, 10, 1000);  // billing-bot: a policy looked at it
  judged.mutable_decision()->set_outcome(pb::Decision::OUTCOME_ALLOW);
  judged.mutable_decision()->set_mode("enforce");
  judged.set_session_id("s1");
  bench.report("gateway", {judged});
  bench.report("sensord", {make_agent_call("alice/agent.py", 2), make_mcp_call("read", 3),
                           make_file("alice/agent.py", "sensitive", 4)});
  bench.set_state(bench.asset("agent/billing-bot").id(), "sanctioned", "finance");
  pb::CreateAgentKeyRequest key;
  key.set_agent_id("billing-bot");
  must(bench.registry().create_agent_key(key, at(5)));
  const pb::InventorySummary summary = must(bench.fleet().summary({}, at(10)));
  EXPECT_THAT(counts_of(summary, "agents"), ElementsAre(2, 1, 1, 1));
  // gpt-x: alice's call past the gateway is the risk, billing-bot's is owned and judged.
  EXPECT_THAT(counts_of(summary, "models"), ElementsAre(1, 1, 0, 0));
  EXPECT_THAT(counts_of(summary, "tools"), ElementsAre(1, 0, 1, 1));
  EXPECT_THAT(counts_of(summary, "data"), ElementsAre(1, 1, 1, 1));
  EXPECT_THAT(counts_of(summary, "sessions"), ElementsAre(1, 0, 0, 0));
  EXPECT_THAT(counts_of(summary, "mcp_servers"), ElementsAre(1, 0, 1, 1));
  EXPECT_THAT(counts_of(summary, "identities"), ElementsAre(2, 1, 1, 1));
  ASSERT_EQ(summary.states_size(), 1);
  EXPECT_EQ(summary.states(0).sanctioned(), 1U);
  EXPECT_EQ(summary.states(0).unsanctioned(), 1U);
  // Two months later nothing is risky any more, and nothing was judged lately.
  const pb::InventorySummary later = must(bench.fleet().summary({}, at(60 * 86'400)));
  EXPECT_THAT(counts_of(later, "agents"), ElementsAre(2, 0, 1, 2));
}

TEST(Summary, CountsAToolThatChangedAsRisk) {
  FleetBench bench;
  bench.report("sensord", {make_tools({{"read", kHashA, kHashA}}, 1)});
  EXPECT_THAT(counts_of(must(bench.fleet().summary({}, at(10))), "tools"), ElementsAre(1, 0, 1, 1));
  bench.report("sensord", {make_tools({{"read", kHashB, kHashA}}, 2)});
  EXPECT_THAT(counts_of(must(bench.fleet().summary({}, at(10))), "tools"), ElementsAre(1, 1, 1, 1));
  EXPECT_THAT(counts_of(must(bench.fleet().summary({}, at(10))), "mcp_servers"),
              ElementsAre(1, 1, 1, 1));
}

}  // namespace
}  // namespace aispm::collector::test
