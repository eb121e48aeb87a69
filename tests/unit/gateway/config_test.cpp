// SPDX-License-Identifier: Apache-2.0
#include "gateway/proxy/config.hpp"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <fstream>

namespace aispm::gateway {
namespace {

using ::testing::HasSubstr;

constexpr char kGood[] = R"(policy: p.yaml
packs: packs
audit: best_effort
providers:
  - name: openai
    dialect: openai
    origin: https://api.openai.com
)";

TEST(Config, HasDefaultsForAllButPolicyPacksAndProviders) {
  const auto config = parse_config(kGood, "gw.yaml");
  ASSERT_TRUE(config) << config.error().message;
  EXPECT_EQ(config->listen, "127.0.0.1:8088");
  EXPECT_EQ(config->limits.body_bytes, 16U << 20);
  EXPECT_EQ(config->audit, Audit::kBestEffort);
  EXPECT_FALSE(config->providers.front().allow_private);
}

TEST(Config, ReadsAProviderKeyFromAFile) {
  const std::string path = ::testing::TempDir() + "aispm-key-" + std::to_string(::getpid());
  std::ofstream(path) << "sk-provider\n";
  const auto config = parse_config(std::string(kGood) + "    key_file: " + path + "\n", "gw.yaml");
  ASSERT_TRUE(config) << config.error().message;
  EXPECT_EQ(config->providers.front().key.expose(), "sk-provider");
  ::unlink(path.c_str());
}

TEST(Config, NotesAMissingKeyVariableWithoutRefusingTheOtherProviders) {
  const auto config =
      parse_config(std::string(kGood) + "    key_env: AISPM_TEST_NO_SUCH_VARIABLE\n", "gw.yaml");
  ASSERT_TRUE(config) << config.error().message;
  EXPECT_THAT(config->providers.front().missing_key, HasSubstr("AISPM_TEST_NO_SUCH_VARIABLE"));
}

TEST(Config, PermitsNoFurtherHostUnlessItIsNamed) {
  const auto bare = parse_config(kGood, "gw.yaml");
  ASSERT_TRUE(bare);
  EXPECT_TRUE(bare->egress.allow_hosts.empty());
  const auto named = parse_config(
      std::string(kGood) +
          "egress:\n  allow_hosts: [a.example, '*.b.example:8443']\n  connections: 3\n  bytes: "
          "1MiB\n  idle: 9s\n",
      "gw.yaml");
  ASSERT_TRUE(named) << named.error().message;
  EXPECT_TRUE(is_allowed(named->egress.allow_hosts, {"x.b.example", 8443}));
  EXPECT_EQ(named->egress.connections, 3U);
  EXPECT_EQ(named->egress.bytes, 1U << 20);
  EXPECT_EQ(named->egress.idle, std::chrono::seconds(9));
  const auto wrong =
      parse_config(std::string(kGood) + "egress:\n  allow_hosts: [10.0.0.1]\n", "gw.yaml");
  ASSERT_FALSE(wrong);
  EXPECT_THAT(wrong.error().message, HasSubstr("host name"));
}

struct Wrong {
  const char* name;
  std::string content;
  const char* message;
};

class ConfigRefuses : public ::testing::TestWithParam<Wrong> {};

TEST_P(ConfigRefuses, WithFileLineAndWhatIsAllowed) {
  const auto config = parse_config(GetParam().content, "gw.yaml");
  ASSERT_FALSE(config);
  EXPECT_THAT(config.error().message, HasSubstr(GetParam().message));
  EXPECT_THAT(config.error().message, HasSubstr("gw.yaml:"));
}

INSTANTIATE_TEST_SUITE_P(
    Table, ConfigRefuses,
    ::testing::Values(
        Wrong{"UnknownKey", std::string(kGood) + "colour: red\n", "gw.yaml:8"},
        Wrong{"UnknownProviderKey", std::string(kGood) + "    colour: red\n", "colour"},
        Wrong{"BadListen", std::string(kGood) + "listen: localhost\n", "127.0.0.1:8088"},
        Wrong{"NoProviders", "policy: p\npacks: q\naudit: best_effort\n", "provider"},
        Wrong{"NoReportThoughRequired",
              "policy: p\npacks: q\nproviders: [{name: a, dialect: openai, origin: 'https://a'}]\n",
              "best_effort"},
        Wrong{"BadOrigin",
              "policy: p\npacks: q\naudit: best_effort\nproviders: [{name: a, dialect: openai, "
              "origin: 'https://a/v1?x'}]\n",
              "https://host"},
        Wrong{"BadDialect",
              "policy: p\npacks: q\naudit: best_effort\nproviders: [{name: a, dialect: cohere, "
              "origin: 'https://a'}]\n",
              "anthropic"},
        Wrong{"NameTwice",
              std::string(kGood) + "  - {name: openai, dialect: openai, origin: 'https://b'}\n",
              "twice"},
        Wrong{"TwoKeys", std::string(kGood) + "    key_env: A\n    key_file: /b\n", "not both"},
        Wrong{"NothingToServe", std::string(kGood) + "listen: ''\n", "nothing to serve"},
        Wrong{"BodyLimitTooHigh", std::string(kGood) + "limits: {body: 1GiB}\n", "1GiB"},
        Wrong{"NoTimeToConnect", std::string(kGood) + "limits: {upstream_connect: 0s}\n",
              "upstream_connect: 0 would end everything at once"},
        Wrong{"LongerThanClocksCount", std::string(kGood) + "limits: {request: 9999999h}\n",
              "at most 876000h"}),
    [](const auto& row) { return row.param.name; });

TEST(Config, ForbidsHistoryAtProvidersUnlessTold) {
  EXPECT_FALSE(parse_config(kGood, "gw.yaml")->provider_history);
  const auto allowed =
      parse_config(std::string(kGood) + "responses: {history: allow}\n", "gw.yaml");
  ASSERT_TRUE(allowed) << allowed.error().message;
  EXPECT_TRUE(allowed->provider_history);
  EXPECT_FALSE(parse_config(std::string(kGood) + "responses: {history: maybe}\n", "gw.yaml"));
  EXPECT_FALSE(allowed->remote_mcp);
  EXPECT_TRUE(
      parse_config(std::string(kGood) + "responses: {remote_mcp: allow}\n", "gw.yaml")->remote_mcp);
}

TEST(Config, KnowsProvidersThatSpeakOllama) {
  const auto config = parse_config(
      std::string(kGood) + "  - {name: local, dialect: ollama, origin: 'http://127.0.0.1:11434'}\n",
      "gw.yaml");
  ASSERT_TRUE(config) << config.error().message;
  EXPECT_EQ(config->providers.back().dialect, Dialect::kOllama);
}

TEST(Config, ReadsBasePathsOfProvidersAlone) {
  const auto config = parse_config(
      std::string(kGood) + "  - {name: g, dialect: gemini, origin: 'https://h.example:1/a/b/'}\n",
      "gw.yaml");
  ASSERT_TRUE(config) << config.error().message;
  EXPECT_EQ(config->providers.back().dialect, Dialect::kGemini);
  EXPECT_EQ(config->providers.back().origin, "https://h.example:1");
  EXPECT_EQ(config->providers.back().base_path, "/a/b");
  for (const char* wrong : {"https://h.example/a/../b", "https://h.example//a",
                            "https://h.example/a b", "https://h.example/%41"})
    EXPECT_FALSE(parse_config(
        std::string(kGood) + "  - {name: g, dialect: gemini, origin: '" + wrong + "'}\n",
        "gw.yaml"))
        << wrong;
}

TEST(Config, ReadsAzureAndBedrockAndWhatTheyNeed) {
  ::setenv("AISPM_TEST_AWS_ID", "AKIDEXAMPLE", 1);
  ::setenv("AISPM_TEST_AWS_KEY", "secret/key+", 1);
  ::unsetenv("AISPM_TEST_AWS_NONE");
  const std::string azure =
      "  - {name: az, dialect: openai, service: azure, origin: 'https://r.openai.azure.com', "
      "api_version: 2024-10-21, deployments: {gpt-4o: four}}\n";
  const std::string bedrock =
      "  - {name: br, dialect: anthropic, service: bedrock, region: us-east-1, origin: "
      "'https://bedrock-runtime.us-east-1.amazonaws.com', access_key_id_env: AISPM_TEST_AWS_ID, "
      "key_env: AISPM_TEST_AWS_KEY, deployments: {claude: 'anthropic.claude-v1:0'}";
  const auto config = parse_config(std::string(kGood) + azure + bedrock + "}\n", "gw.yaml");
  ASSERT_TRUE(config) << config.error().message;
  const ProviderConfig& first = config->providers[config->providers.size() - 2];
  EXPECT_EQ(first.service, Service::kAzure);
  EXPECT_EQ(first.api_version, "2024-10-21");
  EXPECT_EQ(first.deployments.at("gpt-4o"), "four");
  const ProviderConfig& last = config->providers.back();
  EXPECT_EQ(last.service, Service::kBedrock);
  EXPECT_EQ(last.region, "us-east-1");
  EXPECT_EQ(last.access_key_id, "AKIDEXAMPLE");
  EXPECT_EQ(last.key.expose(), "secret/key+");
  const auto lacking = parse_config(
      std::string(kGood) + bedrock + ", session_token_env: AISPM_TEST_AWS_NONE}\n", "gw.yaml");
  ASSERT_TRUE(lacking) << lacking.error().message;
  EXPECT_THAT(lacking->providers.back().missing_key, HasSubstr("AISPM_TEST_AWS_NONE"));
  for (const char* wrong :
       {"{name: w, dialect: anthropic, service: azure, origin: 'https://a'}",
        "{name: w, dialect: openai, service: azure, origin: 'https://a/b'}",
        "{name: w, dialect: openai, service: azure, origin: 'https://a', api_version: 'a/b'}",
        "{name: w, dialect: openai, origin: 'https://a', deployments: {a: b}}",
        "{name: w, dialect: anthropic, service: bedrock, origin: 'https://a', region: r}",
        "{name: w, dialect: anthropic, service: bedrock, origin: 'https://a', "
        "access_key_id_env: AISPM_TEST_AWS_ID, key_env: AISPM_TEST_AWS_KEY}"})
    EXPECT_FALSE(parse_config(std::string(kGood) + "  - " + wrong + "\n", "gw.yaml")) << wrong;
}

TEST(Config, ReadsLayersBudgetsSlowerJudgesAndTenants) {
  const auto config = parse_config(std::string(kGood) + R"(reload_every: 1h
detect:
  layers: {classifier: false}
  budgets: {disguise: 7ms, total: 90ms}
  semantic: {model: /m, deadline: 300ms, bytes: 16KiB, workers: 2}
  guard_model: {origin: 'http://127.0.0.1:8000', model: pg, form: prompt_guard, concurrency: 3, allow_private: true}
tenants:
  acme: {rules: /a.yaml, pii_entities: [US_SSN], layers: {rules: false}}
)",
                                   "gw.yaml");
  ASSERT_TRUE(config) << config.error().message;
  EXPECT_FALSE(config->detect.inspect.layers[2]);
  EXPECT_EQ(config->detect.inspect.budgets[1], std::chrono::milliseconds(7));
  EXPECT_EQ(config->detect.inspect.total, std::chrono::milliseconds(90));
  EXPECT_EQ(config->detect.opinions.bytes, 16U << 10);
  ASSERT_EQ(config->detect.voters.size(), 1U);
  EXPECT_EQ(config->detect.voters[0].form, GuardForm::kPromptGuard);
  EXPECT_EQ(config->detect.voters[0].concurrency, 3U);
  EXPECT_EQ(config->detect.voters[0].endpoint.name, "guard model");
  EXPECT_EQ(config->tenants.at("acme").pii_entities.front(), "US_SSN");
  EXPECT_FALSE(config->tenants.at("acme").layers[0]);
  EXPECT_EQ(config->reload_every, std::chrono::hours(1));
}

TEST(Config, ReadsTheOperatorsDoor) {
  const auto config = parse_config(
      std::string(kGood) + "admin: {socket: /run/a.sock, rules_folder: /var/r}\n", "gw.yaml");
  ASSERT_TRUE(config) << config.error().message;
  ASSERT_TRUE(config->admin);
  EXPECT_EQ(config->admin->socket, "/run/a.sock");
  for (const char* wrong :
       {"admin: {socket: /run/a.sock}\n", "admin: {socket: a, rules_folder: /r}\n",
        "admin: {socket: /a, rules_folder: r}\n"})
    EXPECT_FALSE(parse_config(std::string(kGood) + wrong, "gw.yaml")) << wrong;
}

TEST(Config, ReadsHowMuchOfAnEchoAGuardOrACompressedBodyMayPass) {
  const auto config = parse_config(
      std::string(kGood) +
          "detect:\n  guard_model: {origin: 'http://127.0.0.1:1', model: m, block_score: 0.6}\n"
          "  leaks: {prompt_echo_from: 50, prompt_echo_high: 60}\nlimits: {body_ratio: 20}\n"
          "mcp: {subscriptions: 7}\n",
      "gw.yaml");
  ASSERT_TRUE(config) << config.error().message;
  EXPECT_EQ(config->detect.voters[0].block_score, 0.6);
  EXPECT_EQ(config->detect.leaks.echo.tell, 50U);
  EXPECT_EQ(config->detect.leaks.echo.high, 60U);
  EXPECT_EQ(config->limits.body_ratio, 20U);
  EXPECT_EQ(config->mcp.subscriptions, 7U);
  for (const char* wrong :
       {"detect: {guard_model: {origin: 'http://127.0.0.1:1', model: m, block_score: 1.5}}\n",
        "detect: {leaks: {prompt_echo_from: 39}}\n",
        "detect: {leaks: {prompt_echo_from: 100, prompt_echo_high: 99}}\n",
        "limits: {body_ratio: 0}\n"})
    EXPECT_FALSE(parse_config(std::string(kGood) + wrong, "gw.yaml")) << wrong;
}

TEST(Config, RefusesAGuardModelOfNoKnownForm) {
  const auto config = parse_config(
      std::string(kGood) +
          "detect: {guard_model: {origin: 'http://127.0.0.1:1', model: m, form: tarot}}\n",
      "gw.yaml");
  ASSERT_FALSE(config);
  EXPECT_THAT(config.error().message, HasSubstr("llama_guard"));
}

TEST(Config, TakesSeveralGuardModelsEachWithAName) {
  const std::string one = "{origin: 'http://127.0.0.1:1', model: m, allow_private: true";
  const auto config = parse_config(std::string(kGood) + "detect: {guard_model: [" + one + "}, " +
                                       one + ", name: second, deadline: 90ms, optional: true}]}\n",
                                   "gw.yaml");
  ASSERT_TRUE(config) << config.error().message;
  const auto& voters = config->detect.voters;
  ASSERT_EQ(voters.size(), 2U);
  EXPECT_EQ(voters[0].name, "llama_guard");
  EXPECT_EQ(voters[0].endpoint.name, "guard model llama_guard");
  EXPECT_FALSE(voters[0].optional);
  EXPECT_EQ(voters[1].endpoint.name, "guard model second");
  EXPECT_EQ(voters[1].deadline, std::chrono::milliseconds(90));
  EXPECT_TRUE(voters[1].optional);
  const auto twins = parse_config(
      std::string(kGood) + "detect: {guard_model: [" + one + "}, " + one + "}]}\n", "gw.yaml");
  ASSERT_FALSE(twins);
  EXPECT_THAT(twins.error().message, HasSubstr("'llama_guard' is taken"));
  std::string many;
  for (int i = 0; i < 9; ++i) many += one + ", name: g" + std::to_string(i) + "}, ";
  for (const std::string& wrong : {std::string(), many, one + ", name: 'A B'}"})
    EXPECT_FALSE(
        parse_config(std::string(kGood) + "detect: {guard_model: [" + wrong + "]}\n", "gw.yaml"))
        << wrong;
}

constexpr char kServer[] =
    "mcp:\n  servers:\n    - name: files\n      origin: https://mcp.example\n      agents: ['*']\n";

TEST(Config, GrantsNoPromptsAndResourcesUnlessTheyAreNamed) {
  const auto bare = parse_config(std::string(kGood) + kServer, "gw.yaml");
  ASSERT_TRUE(bare) << bare.error().message;
  EXPECT_EQ(bare->mcp.servers[0].tools, std::vector<std::string>{"*"});
  EXPECT_TRUE(bare->mcp.servers[0].prompts.empty());
  EXPECT_TRUE(bare->mcp.servers[0].resources.empty());
  const auto named = parse_config(
      std::string(kGood) + kServer + "      prompts: [a]\n      resources: ['file:///*']\n",
      "gw.yaml");
  ASSERT_TRUE(named) << named.error().message;
  EXPECT_EQ(named->mcp.servers[0].prompts, std::vector<std::string>{"a"});
  EXPECT_EQ(named->mcp.servers[0].resources, std::vector<std::string>{"file:///*"});
}

TEST(Config, PutsTheKeyOfAnMcpServerIntoTheHeaderThatItWants) {
  const std::string path = ::testing::TempDir() + "aispm-mcp-key-" + std::to_string(::getpid());
  std::ofstream(path) << "office\n";
  const std::string key = "      key_file: " + path + "\n";
  const auto own =
      parse_config(std::string(kGood) + kServer + key + "      header: X-Api-Key\n", "gw.yaml");
  ASSERT_TRUE(own) << own.error().message;
  EXPECT_EQ(own->mcp.servers[0].key_header, "X-Api-Key");
  EXPECT_EQ(own->mcp.servers[0].key.expose(), "office");
  EXPECT_TRUE(own->mcp.servers[0].endpoint.key.empty()) << "it would be sent as a bearer too";
  for (const char* wrong : {"''", "Host", "content-length", "Mcp-Session-Id", "'a b'", "'a:'"}) {
    const auto refused = parse_config(
        std::string(kGood) + kServer + key + "      header: " + wrong + "\n", "gw.yaml");
    ASSERT_FALSE(refused) << wrong;
    EXPECT_THAT(refused.error().message, HasSubstr("header")) << wrong;
  }
  EXPECT_FALSE(parse_config(std::string(kGood) + kServer + "      header: X-Api-Key\n", "gw.yaml"));
  ::unlink(path.c_str());
}

TEST(Config, GrantsMcpServersWhatIsNamedAndNothingElse) {
  const auto none = parse_config(std::string(kGood) + kServer, "gw.yaml");
  ASSERT_TRUE(none) << none.error().message;
  EXPECT_TRUE(none->mcp.servers[0].grants.empty());
  EXPECT_EQ(none->mcp.asked_by_model, policy::Mode::kMonitor);
  const auto some = parse_config(
      std::string(kGood) + kServer + "      grants: [sampling]\n  asked_by_model: enforce\n",
      "gw.yaml");
  ASSERT_TRUE(some) << some.error().message;
  EXPECT_EQ(some->mcp.servers[0].grants, std::vector<std::string>{"sampling"});
  EXPECT_EQ(some->mcp.asked_by_model, policy::Mode::kEnforce);
  const auto wrong =
      parse_config(std::string(kGood) + kServer + "      grants: [everything]\n", "gw.yaml");
  ASSERT_FALSE(wrong);
  EXPECT_THAT(wrong.error().message, HasSubstr("sampling, elicitation, roots"));
}

TEST(Config, HasToolsOfTheWebOnlyWhereTheyAreNamed) {
  const std::string web = std::string(kGood) + "mcp:\n  web:\n    agents: ['team/*']\n";
  const auto fetching = parse_config(web + "    fetch: {hosts: ['*.example']}\n", "gw.yaml");
  ASSERT_TRUE(fetching) << fetching.error().message;
  ASSERT_EQ(fetching->mcp.servers.size(), 1U);
  EXPECT_EQ(fetching->mcp.servers[0].endpoint.name, "aispm");
  EXPECT_EQ(fetching->mcp.servers[0].agents, std::vector<std::string>{"team/*"});
  for (const char* const wrong :
       {"", "    fetch: {private_hosts: [localhost]}\n", "    fetch: {ca_file: /nowhere.pem}\n",
        "    search: {form: oracle, origin: 'https://s.example'}\n", "    search: {}\n",
        "    search: {origin: 'https://s.example', path: 'x'}\n"})
    EXPECT_FALSE(parse_config(web + wrong, "gw.yaml")) << wrong;
  const auto taken = parse_config(
      std::string(kGood) +
          "mcp: {servers: [{name: aispm, origin: 'https://mcp.example', agents: ['*']}]}\n",
      "gw.yaml");
  ASSERT_FALSE(taken);
  EXPECT_THAT(taken.error().message, HasSubstr("own tools"));
}

}  // namespace
}  // namespace aispm::gateway
