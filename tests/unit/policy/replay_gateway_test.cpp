// SPDX-License-Identifier: Apache-2.0
// POL-022: simulation says what a gateway with the candidate would.
#include <gmock/gmock.h>

#include "sdk/core/policy/risk_sequences.hpp"
#include "tests/unit/policy/replay_support.hpp"

namespace aispm::policy {
namespace {

using testing::HasSubstr;

// As the gateway judges it, for each kind of part that may be silent.
TEST(Replay, DeniesWhatTheCandidateIsSilentAbout) {
  const auto rule = [](const std::vector<FolderFile>& files, const BundleOptions& options = {}) {
    const v1::Event event = action("fetch", "{}");
    const RecordedAction recorded(event);
    auto bundle = Bundle::compile(files, options);
    EXPECT_TRUE(bundle) << bundle.error().message;
    const ReplayVerdict verdict = judge_recorded(**bundle, recorded, kNow);
    return std::pair(verdict.outcome, verdict.rule_id);
  };
  const std::pair silent(model::Outcome::kDeny, std::string("bundle.silent"));
  EXPECT_EQ(rule({{"risk.yaml", "{}"}}), silent);
  EXPECT_EQ(rule({{"commands.yaml", "{defaults: {outcome: allow}, rules: []}"}}), silent);
  // tools.yaml allows what it has nothing against.
  EXPECT_EQ(rule({{"tools.yaml", "{builtin: false, tools: [{name: fetch}]}"}}),
            std::pair(model::Outcome::kAllow, std::string("tools.allow")));
  // The registry alone allows what it does not block; beside a policy it permits nothing.
  const FolderFile blocked{"registry.yaml", "tools:\n  - {name: rm_all, blocked: true}\n"};
  EXPECT_EQ(rule({blocked}), std::pair(model::Outcome::kAllow, std::string("registry.silent")));
  EXPECT_EQ(rule({{"risk.yaml", "{}"}, blocked}), silent);
}

// What a module of a gateway is told that was not recorded as such.
TEST(Replay, TellsRegoOfSequencesAndOfWhoAsks) {
  const std::string head = "import rego.v1\n";
  const std::string deny = R"(decision := {"outcome": "deny", "rule": "d", "reason": ""} if )";
  const std::string allow = R"( else := {"outcome": "allow", "rule": "a", "reason": ""})";
  v1::Event event = action("fetch", "{}");
  event.mutable_action_call()->add_inputs("delegation=2");
  const auto stricter = [&](const std::string& package, const std::string& condition,
                            const std::vector<FolderFile>& more = {}) {
    std::vector<FolderFile> files = more;
    files.push_back({"rego/x.rego", "package aispm." + package + "\n" + head + deny + "{ " +
                                        condition + " }" + allow + "\n"});
    const v1::Simulation report = replay(bundle_of(files), {event});
    return report.not_judged_size() > 0 ? report.not_judged(0).reason()
                                        : std::to_string(report.stricter());
  };
  EXPECT_EQ(stricter("tools", "count(input.ttps) > 0"), "0");
  // Alone each makes nothing.
  event.mutable_action_call()->add_inputs("signal=" + std::string(name_of(RiskSignal::kToolAbuse)));
  EXPECT_EQ(stricter("tools", "count(input.ttps) > 0"), "0");
  for (std::size_t i = 0; i < kRiskSignals; ++i)
    event.mutable_action_call()->add_inputs("signal=" +
                                            std::string(name_of(static_cast<RiskSignal>(i))));
  EXPECT_EQ(stricter("tools", "count(input.ttps) > 0"), "1");
  EXPECT_EQ(stricter("agent", "input.agent.delegation_depth > 1"), "1");
  EXPECT_EQ(stricter("agent", "input.agent.delegation_depth > 2"), "0");
  // Whether it is registered is told by the candidate's agents.yaml only.
  EXPECT_THAT(stricter("agent", "not input.agent.registered"), HasSubstr("agent.registered"));
  EXPECT_EQ(stricter("agent", "not input.agent.registered", {{"agents.yaml", "agents: []\n"}}),
            "1");
  EXPECT_EQ(stricter("agent", "not input.agent.registered",
                     {{"agents.yaml", "agents:\n  - {agent: alice/bot, trust: basic}\n"}}),
            "0");
}

TEST(Replay, SaysWhatTheModuleRetrievalReadsThatWasNotRecorded) {
  const auto judged = [](const std::string& condition) {
    const auto bundle = bundle_of(
        {{"rego/x.rego",
          "package aispm.retrieval\nimport rego.v1\ndecision := {\"outcome\": \"deny\", \"rule\": "
          "\"d\", \"reason\": \"\"} if { " +
              condition +
              " } else := {\"outcome\": \"allow\", \"rule\": \"a\", \"reason\": \"\"}\n"}});
    const v1::Simulation report = replay(bundle, {action("search_docs", R"({"top_k": 5})")});
    return report.not_judged_size() > 0 ? report.not_judged(0).reason()
                                        : std::to_string(report.stricter());
  };
  EXPECT_EQ(judged("input.retrieval.wanted > 4"), "1");
  EXPECT_EQ(judged("input.retrieval.wanted > 5"), "0");
  EXPECT_THAT(judged("input.guard.verdict == \"block\""), HasSubstr("input.guard"));
  EXPECT_THAT(judged("input.retrieval.trust < 0.5"), HasSubstr("input.retrieval.trust"));
  EXPECT_EQ(judged("input.retrieval.trust < 2"), "1") << "whatever it was";
}

}  // namespace
}  // namespace aispm::policy
