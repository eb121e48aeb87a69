// SPDX-License-Identifier: Apache-2.0
// REG-009, POL-028, MCP-017: what the collector's registry does in a gateway.
#include <gmock/gmock.h>
#include <sys/stat.h>

#include <filesystem>
#include <fstream>

#include "gateway/mcp/told_tools.hpp"
#include "gateway/proxy/decide/action_gate.hpp"
#include "gateway/proxy/decide/action_judge.hpp"
#include "gateway/proxy/decide/identity.hpp"
#include "gateway/proxy/decide/offered_tools.hpp"
#include "gateway/proxy/decide/policy_shelf.hpp"
#include "tests/support/temp_folder.hpp"
#include "tests/unit/gateway/rules_fixture.hpp"

namespace aispm::gateway {
namespace {

using policy::AgentRegistry;
using policy::RegistryPart;
using ::testing::HasSubstr;

constexpr std::int64_t kNow = 1'800'000'000'000'000'000;

AgentRegistry agents(const std::string& text) {
  auto parsed = AgentRegistry::parse(text, "agents.yaml");
  EXPECT_TRUE(parsed) << (parsed ? "" : parsed.error().message);
  return std::move(*parsed);
}

std::string refused(const AgentRegistry& registry, std::string_view agent, std::int64_t now) {
  const Identity identity = identify(registry, {.agent_id = agent, .now = {now}});
  return identity.objection ? identity.objection->rule_id : "";
}

TEST(RefusedAgents, AreBlockedOrExpired) {
  const AgentRegistry registry = agents(
      "agents:\n"
      "  - {agent: lost, blocked: true, reason: SEC-1, trust: system}\n"
      "  - {agent: temp, expires_at: '2027-01-15T08:00:00Z'}\n"
      "  - {agent: fine, expires_at: '2027-01-15T08:00:01Z'}\n");
  EXPECT_EQ(refused(registry, "lost", kNow), "agent.blocked");
  EXPECT_EQ(refused(registry, "temp", kNow), "agent.expired");
  EXPECT_EQ(refused(registry, "fine", kNow), "");
  EXPECT_EQ(refused(registry, "nobody", kNow), "");
  const Identity lost = identify(registry, {.agent_id = "lost", .now = {kNow}});
  EXPECT_THAT(lost.objection->reason, HasSubstr("SEC-1"));
}

// --- this host's own bundle

std::shared_ptr<const RegistryPart> part(const std::string& text) {
  auto parsed = RegistryPart::parse(text, policy::kRegistryFile);
  EXPECT_TRUE(parsed);
  return *parsed;
}

std::string rule_of(const PolicyShelf& shelf, std::string_view tool) {
  const policy::ToolGate* const gate = shelf.local()->bundle->tools();
  return gate == nullptr ? "" : std::string(gate->judge_sight(tool, "", {}).rule_id);
}

class OwnBundle : public ::testing::Test {
 protected:
  void write(const std::string& text) const {
    const std::string file = config.folder + "/actions.yaml";
    std::ofstream(file) << text;
    ASSERT_EQ(::chmod(file.c_str(), 0600), 0);
  }
  void SetUp() override {
    config.folder = folder.path() + "/bundle";
    std::filesystem::create_directory(config.folder);
    ASSERT_EQ(::chmod(config.folder.c_str(), 0700), 0);
    write("defaults: {outcome: allow}\n");
    ASSERT_TRUE(shelf.reload());
  }

  aispm::testing::TempFolder folder;
  BundleConfig config;
  const AgentRegistry host = agents("agents: [{agent: of-host, trust: basic}]\n");
  PolicyShelf shelf{config, host};
};

TEST_F(OwnBundle, HasTheRegistryWithoutBeingReadAnew) {
  EXPECT_EQ(rule_of(shelf, "send"), "");
  write("defaults: {outcome: deny}\n");  // waits for a reload
  const std::string version = shelf.local()->version();
  ASSERT_TRUE(shelf.take_registry(part("tools: [{name: send, blocked: true}]\n")));
  EXPECT_EQ(rule_of(shelf, "send"), "tools.blocked");
  EXPECT_EQ(shelf.local()->version(), version);
  ASSERT_TRUE(shelf.reload());
  EXPECT_NE(shelf.local()->version(), version);
  EXPECT_EQ(rule_of(shelf, "send"), "tools.blocked") << "a reload keeps the registry";
  ASSERT_TRUE(shelf.take_registry(nullptr));
  EXPECT_EQ(rule_of(shelf, "send"), "");
}

TEST_F(OwnBundle, KeepsTheAgentsOfTheHostBesideThoseOfTheRegistry) {
  ASSERT_TRUE(shelf.take_registry(part("agents: [{agent: lost, blocked: true}]\n")));
  const AgentRegistry* const known = shelf.local()->bundle->agents();
  EXPECT_EQ(refused(*known, "lost", kNow), "agent.blocked");
  EXPECT_EQ(known->find("of-host")->facts.trust, policy::TrustLevel::kBasic);
}

// --- the registry where no file speaks of tools

std::shared_ptr<const PolicyView> view(const std::string& id,
                                       const std::vector<policy::FolderFile>& files,
                                       const std::string& registry) {
  policy::BundleOptions options;
  if (!registry.empty()) options.registry = part(registry);
  auto bundle = policy::Bundle::compile(files, options);
  EXPECT_TRUE(bundle) << (bundle ? "" : bundle.error().message);
  return PolicyView::make(id, *bundle, true);
}

std::string judged(const PolicyView& policy, std::string_view tool) {
  const AgentFacts facts;
  return judge_action(policy, {.agent_id = "a", .facts = &facts, .surface = "reply"},
                      {.tool = tool, .arguments = "{}"}, wall_now())
      .rule_id;
}

constexpr char kBlocked[] = "tools: [{name: send, blocked: true}]\n";

TEST(RegistryAlone, DeniesWhatIsBlockedAndPassesTheRest) {
  const auto tools = view(policy::kRegistryPolicy, {{policy::kRegistryFile, kBlocked}}, "");
  EXPECT_EQ(judged(*tools, "send"), "tools.blocked");
  EXPECT_EQ(judged(*tools, "read"), "registry.silent");
  const auto only_agents =
      view(policy::kRegistryPolicy, {{policy::kRegistryFile, "agents: [{agent: a}]\n"}}, "");
  EXPECT_EQ(judged(*only_agents, "read"), "registry.silent");
}

TEST(RegistryAlone, IsNoWordOfAPolicyThatIsSilent) {
  const auto silent = view("p", {{"risk.yaml", "{}\n"}}, kBlocked);
  EXPECT_EQ(judged(*silent, "send"), "tools.blocked");
  EXPECT_EQ(judged(*silent, "read"), "bundle.silent");
}

TEST(RegistryAlone, SetsNoLimits) {
  const auto calls_denied = [](std::shared_ptr<const PolicyView> enforced) {
    const ScanContext scan = make_context();
    policy::ToolUsage usage;
    ActionGate gate(scan, {.enforced = std::move(enforced), .monitored = {}},
                    {.agent_id = "a",
                     .tenant = "",
                     .session_id = "s",
                     .facts = {},
                     .surface = "reply",
                     .provider = "",
                     .model = ""},
                    {}, &usage);
    int denied = 0;
    for (int i = 0; i < 30; ++i)
      if (gate.judge({.tool = "read", .arguments = "{}"}).say == ActionGate::Say::kDeny) ++denied;
    return denied;
  };
  EXPECT_EQ(calls_denied(view(policy::kRegistryPolicy, {{policy::kRegistryFile, kBlocked}}, "")),
            0);
  EXPECT_EQ(calls_denied(view("p", {{"tools.yaml", "require_registration: false\n"}}, kBlocked)),
            10);
}

// --- what gateways tell of tools

TEST(OfferedDefinitions, AreKnownWhereTheyAreOne) {
  const auto request = [](const std::string& tools) {
    return OfferedTools::read("{\"model\":\"m\",\"messages\":[],\"tools\":[" + tools + "]}");
  };
  const std::string one =
      R"({"type":"function","function":{"name":"t","description":"a","parameters":{}}})";
  const std::string two =
      R"({"type":"function","function":{"name":"t","description":"b","parameters":{}}})";
  EXPECT_EQ(request(one).find("t").description_sha256.size(), 64U);
  EXPECT_EQ(request(one + "," + one).find("t").description_sha256.size(), 64U);
  EXPECT_EQ(request(one + "," + two).find("t").description_sha256, "");
  EXPECT_EQ(request(one).find("other").description_sha256, "");
}

ToolBook book(const std::string& description) {
  ToolBook made;
  const auto added =
      made.add_page("mail", R"({"tools":[{"name":"send","description":")" + description +
                                R"(","inputSchema":{"type":"object"}}]})");
  EXPECT_TRUE(added) << (added ? "" : added.error().message);
  return made;
}

TEST(ToldTools, AListIsNewsOnceForEachDefinition) {
  ToldTools told;
  EXPECT_TRUE(told.is_news("mail", book("sends")));
  EXPECT_FALSE(told.is_news("mail", book("sends")));
  EXPECT_TRUE(told.is_news("other", book("sends")));
  EXPECT_TRUE(told.is_news("mail", book("sends more")));
  EXPECT_FALSE(told.is_news("mail", book("sends"))) << "a server that changes to and fro";
}

}  // namespace
}  // namespace aispm::gateway
