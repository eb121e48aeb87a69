// SPDX-License-Identifier: Apache-2.0
// REG-009, REG-010, MCP-017: agents and tools as they were seen and as people decided.
#include "gateway/collector/store/register_book.hpp"

#include <gmock/gmock.h>

#include "gateway/collector/store/policy_shelf.hpp"
#include "sdk/core/policy/registry_part.hpp"
#include "tests/unit/collector/support.hpp"

namespace aispm::collector::test {
namespace {

using store::RegisterBook;
using ::testing::ElementsAre;
using ::testing::HasSubstr;
using ::testing::IsEmpty;

const std::string kOne(64, 'a');
const std::string kTwo(64, 'b');
const std::string kSchema(64, '5');

pb::Event tool_list(const std::string& tool, const std::string& description, double seconds,
                    const std::vector<std::string>& findings = {}) {
  pb::Event event = make_event(pb::SOURCE_GATEWAY, seconds);
  event.mutable_mcp_tools()->set_transport("http");
  event.mutable_mcp_tools()->set_server_name("mail");
  auto& one = *event.mutable_mcp_tools()->add_tools();
  one.set_name(tool);
  one.set_description_sha256(description);
  one.set_schema_sha256(kSchema);
  for (const std::string& finding : findings) one.add_findings(finding);
  return event;
}

pb::Event action(const std::string& agent, pb::Decision::Outcome outcome, double seconds,
                 const std::string& mode = "enforce") {
  pb::Event event = make_event(pb::SOURCE_GATEWAY, seconds);
  event.set_agent_id(agent);
  event.mutable_action_call()->set_surface("mcp");
  event.mutable_action_call()->set_tool("send");
  event.mutable_action_call()->set_tool_provider("mail");
  event.mutable_decision()->set_outcome(outcome);
  event.mutable_decision()->set_mode(mode);
  return event;
}

class RegisterBookTest : public ::testing::Test {
 protected:
  pb::RegisteredTool tool(const std::string& name = "send") {
    return must(book.tool("mail", name));
  }
  store::RegisterChange review(const std::string& state, const std::string& description = "",
                               double seconds = 10, bool any = false) {
    pb::ReviewToolRequest request;
    request.set_id(tool().id());
    request.set_state(state);
    request.set_description_sha256(description);
    if (!description.empty()) request.set_schema_sha256(kSchema);
    request.set_without_pin(any);
    request.set_reason("SEC-1");
    return must(book.review_tool(request, "alice", at(seconds)));
  }
  pb::RegisteredAgent register_agent(const std::string& id, const std::string& trust) {
    pb::RegisterAgentRequest request;
    request.set_agent_id(id);
    request.mutable_rights()->set_trust(trust);
    request.set_owner("team");
    request.set_reason("new");
    must(book.register_agent(request, "alice", at(0)));
    return must(book.agent(id, at(0)));
  }
  std::vector<std::string> agents(const std::string& state = "", bool undeclared = false) {
    pb::ListRegisteredAgentsRequest request;
    request.set_state(state);
    request.set_undeclared(undeclared);
    std::vector<std::string> names;
    const auto list = must(book.agents(request, at(0)));
    for (const auto& one : list.agents()) names.push_back(one.agent_id());
    return names;
  }
  std::vector<std::string> tools(const std::string& state) {
    pb::ListRegisteredToolsRequest request;
    request.set_state(state);
    std::vector<std::string> names;
    const auto list = must(book.tools(request));
    for (const auto& one : list.tools()) names.push_back(one.name());
    return names;
  }

  Bench bench;
  RegisterBook book{bench.database(), "default"};
};

TEST_F(RegisterBookTest, AToolThatWasSeenIsUndecidedWithItsDefinitionAndFindings) {
  bench.report("gateway", {tool_list("send", kOne, 1, {"HIDDEN_TEXT"}),
                           action("a", pb::Decision::OUTCOME_ALLOW, 2),
                           action("a", pb::Decision::OUTCOME_DENY, 3),
                           action("a", pb::Decision::OUTCOME_DENY, 4, "monitor")});
  const auto seen = tool();
  EXPECT_EQ(seen.state(), "undecided");
  EXPECT_EQ(seen.decisions(), 2U) << "what is only watched decided nothing";
  EXPECT_EQ(seen.denied(), 1U);
  EXPECT_THAT(seen.findings(), ElementsAre("HIDDEN_TEXT"));
  EXPECT_THAT(seen.hosts(), ElementsAre(bench.host_id()));
  ASSERT_EQ(seen.definitions_size(), 1);
  EXPECT_EQ(seen.definitions(0).description_sha256(), kOne);
  EXPECT_FALSE(seen.definitions(0).pinned());
  EXPECT_THAT(must(book.decided_tools()), IsEmpty());
}

TEST_F(RegisterBookTest, AnApprovedToolThatChangesSaysSoUntilSomebodyLooked) {
  bench.report("gateway", {tool_list("send", kOne, 1)});
  review("approved", kOne);
  EXPECT_EQ(tool().state(), "approved");
  bench.report("gateway", {tool_list("send", kTwo, 20)});
  EXPECT_EQ(tool().state(), "changed");
  EXPECT_THAT(tools("changed"), ElementsAre("send"));
  EXPECT_THAT(tools("approved"), IsEmpty());
  review("approved", kTwo, 30);
  EXPECT_EQ(tool().state(), "approved");
  const auto decided = must(book.decided_tools());
  ASSERT_EQ(decided.size(), 1U);
  EXPECT_EQ(decided[0].definitions_size(), 2);
}

TEST_F(RegisterBookTest, AnApprovalSaysWhichDefinition) {
  bench.report("gateway", {tool_list("send", kOne, 1)});
  pb::ReviewToolRequest request;
  request.set_id(tool().id());
  request.set_state("approved");
  request.set_reason("SEC-1");
  EXPECT_THAT(book.review_tool(request, "alice", at(2)).error().message,
              HasSubstr("description_sha256"));
  request.clear_reason();
  request.set_without_pin(true);
  EXPECT_THAT(book.review_tool(request, "alice", at(2)).error().message, HasSubstr("reason"));
  EXPECT_EQ(tool().state(), "undecided");
}

TEST_F(RegisterBookTest, ABlockStaysWhenFactsChangeAndEndsWithAnApproval) {
  bench.report("gateway", {tool_list("send", kOne, 1)});
  EXPECT_EQ(review("blocked").state_after, "blocked with 0 pins");
  pb::RegisterToolRequest request;
  request.set_provider("mail");
  request.set_name("send");
  request.mutable_facts()->set_owner("team");
  request.set_reason("owner");
  must(book.register_tool(request, "bob", at(11)));
  EXPECT_EQ(tool().state(), "blocked");
  EXPECT_EQ(tool().reason(), "SEC-1");
  review("approved", "", 12, true);
  EXPECT_EQ(tool().state(), "approved");
  EXPECT_EQ(tool().pins(), 0U);
  review("undecided", "", 13);
  EXPECT_THAT(must(book.decided_tools()), IsEmpty());
  EXPECT_FALSE(tool().has_facts());
}

TEST_F(RegisterBookTest, HistoryIsNotRewritten) {
  bench.report("gateway", {tool_list("send", kOne, 1)});
  must(book.note(review("blocked"), 7, "alice", at(10)));
  const auto shown = tool();
  ASSERT_EQ(shown.history_size(), 1);
  EXPECT_EQ(shown.history(0).action(), "tool.block");
  EXPECT_EQ(shown.history(0).who(), "alice");
  EXPECT_EQ(shown.history(0).version(), 7U);
  EXPECT_THAT(shown.history(0).after(), HasSubstr("blocked"));
  EXPECT_FALSE(bench.database().execute("DELETE FROM registry_changes"));
  EXPECT_FALSE(bench.database().execute("UPDATE registry_changes SET who='eve'"));
}

TEST_F(RegisterBookTest, ALyingServerCannotFillTheStore) {
  std::vector<pb::Event> lists;
  for (int i = 0; i < 100; ++i) {
    std::string hash = std::to_string(i);
    hash.insert(0, 64 - hash.size(), '0');
    lists.push_back(tool_list("send", hash, i));
  }
  bench.report("gateway", lists);
  EXPECT_EQ(bench.count("SELECT COUNT(*) FROM registry_definitions"), 64);
}

TEST_F(RegisterBookTest, AgentsAreDeclaredOrNot) {
  bench.report("gateway", {action("alice/seen", pb::Decision::OUTCOME_ALLOW, 1)});
  const auto made = register_agent("alice/made", "verified");
  EXPECT_TRUE(made.declared());
  EXPECT_FALSE(made.has_last_seen());
  EXPECT_THAT(agents(), ElementsAre("alice/made", "alice/seen"));
  EXPECT_THAT(agents("", true), ElementsAre("alice/seen"));
  EXPECT_THAT(agents("approved"), ElementsAre("alice/made"));
  EXPECT_EQ(book.agent("alice/nobody", at(0)).error().code, Errc::kNotFound);
}

TEST_F(RegisterBookTest, ABlockOfAnAgentKeepsItsRightsAndForgettingTakesThem) {
  register_agent("alice/made", "verified");
  pb::ReviewAgentRequest request;
  request.set_agent_id("alice/made");
  request.set_state("blocked");
  request.set_reason("SEC-2");
  must(book.review_agent(request, "bob", at(1)));
  auto blocked = must(book.decided_agents(at(1)));
  ASSERT_EQ(blocked.size(), 1U);
  EXPECT_EQ(blocked[0].state(), "blocked");
  EXPECT_EQ(blocked[0].rights().trust(), "verified");
  request.set_state("undecided");
  must(book.review_agent(request, "bob", at(2)));
  EXPECT_THAT(must(book.decided_agents(at(2))), IsEmpty());
}

TEST_F(RegisterBookTest, ARegistrationThatIsOverIsExpired) {
  pb::RegisterAgentRequest request;
  request.set_agent_id("temp");
  request.mutable_expires()->set_seconds(at(5).nanoseconds / kSecond);
  request.set_reason("a week");
  must(book.register_agent(request, "alice", at(0)));
  EXPECT_EQ(must(book.agent("temp", at(4))).state(), "approved");
  EXPECT_EQ(must(book.agent("temp", at(5))).state(), "expired");
  EXPECT_EQ(must(book.agent("temp", at(4))).rights().trust(), "untrusted");
}

TEST_F(RegisterBookTest, CountsDenialsInARow) {
  std::vector<pb::Event> events = {action("a", pb::Decision::OUTCOME_DENY, 1),
                                   action("a", pb::Decision::OUTCOME_ALLOW, 2)};
  for (int i = 0; i < 5; ++i) events.push_back(action("a", pb::Decision::OUTCOME_DENY, 3 + i));
  bench.report("gateway", events);
  EXPECT_EQ(must(book.denials_in_row("a")), 4U);
  bench.report("gateway", {action("a", pb::Decision::OUTCOME_ALLOW, 20)});
  EXPECT_EQ(must(book.denials_in_row("a")), 0U);
}

TEST_F(RegisterBookTest, RefusesWhatGatewaysCouldNotRead) {
  pb::RegisterAgentRequest request;
  request.set_agent_id("x");
  request.set_reason("r");
  request.mutable_rights()->set_trust("boundless");
  EXPECT_THAT(book.register_agent(request, "a", at(0)).error().message, HasSubstr("trust"));
  pb::RegisterToolRequest tool;
  tool.set_name("x");
  tool.set_reason("r");
  tool.mutable_facts()->set_sha256("abc");
  EXPECT_THAT(book.register_tool(tool, "a", at(0)).error().message, HasSubstr("sha256"));
}

// --- as a policy

TEST_F(RegisterBookTest, ADecisionIsAVersionThatIsEnforcedAtOnceAndOldOnesGo) {
  store::PolicyShelf shelf(bench.database());
  const auto put = [&](const std::string& text) {
    pb::PolicyFile file;
    file.set_path("registry.yaml");
    file.set_content(text);
    return must(
        shelf.set_registry({file}, {"digest of " + text, "", std::nullopt}, "c", "alice", at(0)));
  };
  EXPECT_EQ(put("one"), 1U);
  EXPECT_EQ(put("one"), 1U) << "the same files are no new version";
  for (int i = 0; i < 201; ++i) put(std::to_string(i));
  const auto policy = must(shelf.get(policy::kRegistryPolicy));
  EXPECT_EQ(policy.stage(), pb::POLICY_STAGE_ENFORCED);
  EXPECT_EQ(policy.version(), 202U);
  EXPECT_EQ(policy.scope().priority(), store::PolicyShelf::kMaxPriority);
  EXPECT_EQ(bench.count("SELECT COUNT(*) FROM policy_versions WHERE policy_id='aispm.registry'"),
            200);
  ASSERT_EQ(must(shelf.snapshot_for("h")).policies_size(), 1);
  pb::PushPolicyRequest push;
  push.set_policy_id(policy::kRegistryPolicy);
  EXPECT_FALSE(shelf.push(push, {"d", "", std::nullopt}, "eve", at(0)));
  EXPECT_FALSE(store::refuse_registry(policy::kRegistryPolicy));
  EXPECT_TRUE(store::refuse_registry("mine"));
}

}  // namespace
}  // namespace aispm::collector::test
