// SPDX-License-Identifier: Apache-2.0
#include "sandbox/plan/plan.hpp"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "sandbox/plan/runtime.hpp"
#include "tests/unit/sandbox/fake_host.hpp"

namespace aispm::sandbox {
namespace {

using testing::Contains;
using testing::HasSubstr;
using testing::Not;
using testing::StartsWith;

TEST(Plan, RunsAScriptByThePathPythonInItsOwnFolder) {
  const FakeHost host;
  const auto plan = make_plan(host, script("agent.py"));
  ASSERT_TRUE(plan) << plan.error().message;
  EXPECT_EQ(plan->executable, "/usr/bin/python3");
  EXPECT_THAT(plan->argv,
              testing::ElementsAre("/usr/bin/python3", "/home/ann/bot/agent.py", "--fast"));
  EXPECT_EQ(plan->folder, "/home/ann/bot");
  EXPECT_EQ(plan->agent, "agent.py");
  ASSERT_NE(find(*plan, "/home/ann/bot"), nullptr);
  EXPECT_EQ(find(*plan, "/home/ann/bot")->kind, Mount::Kind::kBindReadOnly);
  EXPECT_EQ(find(*plan, "/home/ann"), nullptr);
}

TEST(Plan, NeverSharesAHomeFolderBecauseAScriptLiesInIt) {
  FakeHost host;
  host.add_file("/home/ann/quick.py", "");
  const auto plan = make_plan(host, script("/home/ann/quick.py"));
  ASSERT_TRUE(plan) << plan.error().message;
  EXPECT_EQ(find(*plan, "/home/ann"), nullptr);
  ASSERT_NE(find(*plan, "/home/ann/quick.py"), nullptr);
  EXPECT_THAT(plan->notes, Contains(HasSubstr("is not shared")));
}

TEST(Plan, KeepsDigestsBelowAHomeThatThereIsAndMakesNone) {
  FakeHost host;
  EXPECT_EQ(make_plan(host, script("agent.py"))->digest_cache, "/home/ann/.cache/aispm/digests");
  host.set("HOME", "/nonexistent");
  EXPECT_EQ(make_plan(host, script("/home/ann/bot/agent.py"))->digest_cache, "");
  host.set("XDG_CACHE_HOME", "/var/cache/ann");
  EXPECT_EQ(make_plan(host, script("/home/ann/bot/agent.py"))->digest_cache,
            "/var/cache/ann/aispm/digests");
}

TEST(Plan, SharesAVirtualEnvironmentAndTheInterpreterBehindIt) {
  FakeHost host;
  host.add_file("/home/ann/bot/venv/pyvenv.cfg", "home = /home/ann/.pyenv/versions/3.12/bin\n");
  host.add_link("/home/ann/bot/venv/bin/python3", "/home/ann/.pyenv/versions/3.12/bin/python3");
  host.add_file("/home/ann/.pyenv/versions/3.12/bin/python3",
                "\x7f"
                "ELF");
  host.add_file("/home/ann/.pyenv/versions/3.12/lib/python3.12/os.py", "");
  host.add_file("/srv/app/agent.py", "");
  host.set("VIRTUAL_ENV", "/home/ann/bot/venv");
  const auto plan = make_plan(host, script("/srv/app/agent.py"));
  ASSERT_TRUE(plan) << plan.error().message;
  EXPECT_EQ(plan->executable, "/home/ann/bot/venv/bin/python3");
  EXPECT_NE(find(*plan, "/home/ann/bot/venv"), nullptr);
  EXPECT_NE(find(*plan, "/home/ann/.pyenv/versions/3.12"), nullptr);
  EXPECT_THAT(plan->environment, Contains("VIRTUAL_ENV=/home/ann/bot/venv"));
  EXPECT_THAT(plan->environment, Contains(StartsWith("PATH=/home/ann/bot/venv/bin:")));
}

TEST(Plan, LooksBehindAPyenvShim) {
  FakeHost host;
  host.add_file("/home/ann/.pyenv/shims/python3", "#!/usr/bin/env bash\n");
  host.add_file("/home/ann/.pyenv/version", "3.11.7\n");
  host.add_file("/home/ann/.pyenv/versions/3.11.7/bin/python3",
                "\x7f"
                "ELF");
  host.add_file("/home/ann/.pyenv/versions/3.11.7/lib/python3.11/os.py", "");
  host.set("PATH", "/home/ann/.pyenv/shims:/usr/bin");
  const auto plan = make_plan(host, script("agent.py"));
  ASSERT_TRUE(plan) << plan.error().message;
  EXPECT_EQ(plan->executable, "/home/ann/.pyenv/versions/3.11.7/bin/python3");
}

TEST(Plan, SharesASingleFileRatherThanAFolderOfPrograms) {
  FakeHost host;
  host.add_file("/home/ann/.local/bin/tool",
                "\x7f"
                "ELF");
  const auto plan = make_plan(host, command({"/home/ann/.local/bin/tool"}));
  ASSERT_TRUE(plan) << plan.error().message;
  EXPECT_NE(find(*plan, "/home/ann/.local/bin/tool"), nullptr);
  EXPECT_EQ(find(*plan, "/home/ann/.local"), nullptr);
  EXPECT_EQ(plan->folder, "/tmp");
}

TEST(Plan, TellsMissingFromNotExecutable) {
  FakeHost host;
  host.add_file("/srv/notes.txt", "");
  EXPECT_EQ(make_plan(host, command({"nothing-such"})).error().code, Errc::kNotFound);
  EXPECT_EQ(make_plan(host, command({"/srv/notes.txt"})).error().code, Errc::kDenied);
  EXPECT_EQ(make_plan(host, script("gone.py")).error().code, Errc::kNotFound);
}

TEST(Plan, RefusesSensitiveFoldersUnlessTheProfileSaysSo) {
  FakeHost host;
  host.add_file("/home/bob/.ssh/id_ed25519", "");
  host.add_file("/srv/users/eve/.aws/credentials", "");
  for (const char* path : {"/", "/home/ann", "/home", "/etc", "/home/ann/../ann", "/home/bob/.ssh",
                           "/srv/users/eve/.aws"}) {
    Request request = command({"true"});
    request.read_only = {path};
    const auto plan = make_plan(host, request);
    ASSERT_FALSE(plan) << path;
    EXPECT_EQ(plan.error().code, Errc::kInvalid) << path;
  }
  Request request = command({"true"});
  request.read_only = {"/home/ann"};
  request.profile.dangerous.sensitive_paths = true;
  EXPECT_TRUE(make_plan(host, request));
}

TEST(Plan, RefusesToLetTheAgentChangeTheSystemsPrograms) {
  FakeHost host;
  for (const char* path : {"/usr", "/usr/bin", "/bin", "/usr/bin/true", "/bin/true"}) {
    Request request = command({"true"});
    request.read_write = {path};
    const auto plan = make_plan(host, request);
    ASSERT_FALSE(plan) << path;
    EXPECT_THAT(plan.error().message, HasSubstr("run outside of the sandbox")) << path;
    request.profile.dangerous.sensitive_paths = true;
    EXPECT_TRUE(make_plan(host, request)) << path;
  }
  Request request = command({"true"});
  request.workspace = "/usr/bin";
  EXPECT_FALSE(make_plan(host, request));
  request.workspace = "";
  request.read_only = {"/usr/bin"};
  EXPECT_TRUE(make_plan(host, request));
}

TEST(Plan, RefusesAFolderThatHoldsTheGatewaySocket) {
  FakeHost host;
  host.add_file("/srv/state/run/gateway.sock", "");
  Request request = command({"true"});
  request.gateway_socket = "/srv/state/run/gateway.sock";
  request.read_only = {"/srv/state"};
  const auto plan = make_plan(host, request);
  ASSERT_FALSE(plan);
  EXPECT_THAT(plan.error().message, HasSubstr("gateway"));
}

TEST(Plan, MountsALinkAtItsTargetAndKeepsTheLink) {
  FakeHost host;
  host.add_file("/srv/data/x", "");
  host.add_link("/srv/current", "/srv/data");
  Request request = command({"true"});
  request.read_write = {"/srv/current"};
  const auto plan = make_plan(host, request);
  ASSERT_TRUE(plan) << plan.error().message;
  ASSERT_NE(find(*plan, "/srv/data"), nullptr);
  EXPECT_EQ(find(*plan, "/srv/data")->kind, Mount::Kind::kBindReadWrite);
  ASSERT_NE(find(*plan, "/srv/current"), nullptr);
  EXPECT_EQ(find(*plan, "/srv/current")->kind, Mount::Kind::kSymlink);
}

TEST(Plan, AWritableFolderInsideAReadOnlyOneStaysWritable) {
  FakeHost host;
  host.add_file("/home/ann/bot/out/x", "");
  Request request = script("agent.py");
  request.workspace = "out";
  const auto plan = make_plan(host, request);
  ASSERT_TRUE(plan) << plan.error().message;
  ASSERT_NE(find(*plan, "/home/ann/bot/out"), nullptr);
  EXPECT_EQ(find(*plan, "/home/ann/bot/out")->kind, Mount::Kind::kBindReadWrite);
  EXPECT_EQ(plan->folder, "/home/ann/bot/out");
}

TEST(Plan, ALinkGivesWayToWhatIsSharedBelowIt) {
  FakeHost host;
  host.add_file("/var/tmp/work/x", "");
  Request request = command({"true"});
  ASSERT_NE(find(*make_plan(host, request), "/var/tmp"), nullptr);
  request.read_write = {"/var/tmp/work"};
  const auto plan = make_plan(host, request);
  ASSERT_TRUE(plan) << plan.error().message;
  EXPECT_EQ(find(*plan, "/var/tmp"), nullptr);
  EXPECT_NE(find(*plan, "/var/tmp/work"), nullptr);
}

TEST(Plan, MountsParentsBeforeChildren) {
  const FakeHost host;
  const auto plan = make_plan(host, script("agent.py"));
  ASSERT_TRUE(plan);
  for (std::size_t i = 1; i < plan->mounts.size(); ++i)
    EXPECT_LT(plan->mounts[i - 1].target, plan->mounts[i].target);
}

TEST(Plan, RunsANodeAgentAndAProgramOfItsOwn) {
  FakeHost host;
  host.add_file("/usr/bin/node",
                "\x7f"
                "ELF");
  host.add_file("/home/ann/bot/agent.js", "");
  host.add_file("/home/ann/bot/agent",
                "\x7f"
                "ELF");
  const auto node = make_plan(host, script("agent.js"));
  ASSERT_TRUE(node) << node.error().message;
  EXPECT_THAT(node->argv,
              testing::ElementsAre("/usr/bin/node", "/home/ann/bot/agent.js", "--fast"));
  const auto program = make_plan(host, script("./agent"));
  ASSERT_TRUE(program) << program.error().message;
  EXPECT_THAT(program->argv, testing::ElementsAre("/home/ann/bot/agent", "--fast"));
}

TEST(Environment, InheritsOnlyTheAllowList) {
  FakeHost host;
  host.set("AWS_SECRET_ACCESS_KEY", "s3cret");
  host.set("OPENAI_API_KEY", "sk-real");
  host.set("LANG", "C.UTF-8");
  Request request = command({"true"});
  request.gateway_socket = "/run/g.sock";
  const auto plan = make_plan(host, request);
  ASSERT_TRUE(plan);
  EXPECT_THAT(plan->environment, Contains("LANG=C.UTF-8"));
  const auto has = [&](const std::string& dialect, const std::string& pair) {
    return std::any_of(plan->gateway_environment.begin(), plan->gateway_environment.end(),
                       [&](const auto& v) { return v.dialect == dialect && v.pair == pair; });
  };
  EXPECT_TRUE(has("openai", "OPENAI_API_KEY=aispm-sandbox"));
  EXPECT_TRUE(has("openai", "OPENAI_BASE_URL=http://127.0.0.1:61088/v1"));
  EXPECT_TRUE(has("anthropic", "ANTHROPIC_BASE_URL=http://127.0.0.1:61088"));
  EXPECT_TRUE(has("ollama", "OLLAMA_HOST=http://127.0.0.1:61088"));
  for (const char* name : {"HTTP_PROXY", "https_proxy", "ALL_PROXY"})
    EXPECT_THAT(plan->environment, Contains(std::string(name) + "=http://127.0.0.1:61088"));
  EXPECT_THAT(plan->environment, Contains("NO_PROXY=localhost,127.0.0.1,::1"));
  EXPECT_THAT(plan->environment, Not(Contains(HasSubstr("s3cret"))));
  EXPECT_THAT(plan->environment, Not(Contains(HasSubstr("sk-real"))));
}

TEST(Environment, WhatTheCallerSetsIsNotOverridden) {
  const FakeHost host;
  Request request = command({"true"});
  request.gateway_socket = "/run/g.sock";
  request.environment = {"OPENAI_BASE_URL=http://127.0.0.1:9/v1"};
  const auto plan = make_plan(host, request);
  ASSERT_TRUE(plan);
  EXPECT_THAT(plan->environment, Contains("OPENAI_BASE_URL=http://127.0.0.1:9/v1"));
  for (const auto& variable : plan->gateway_environment)
    EXPECT_THAT(variable.pair, Not(testing::StartsWith("OPENAI_BASE_URL=")));
}

TEST(Environment, OfflineNamesNoProxy) {
  const FakeHost host;
  const auto plan = make_plan(host, command({"true"}));
  ASSERT_TRUE(plan);
  EXPECT_TRUE(plan->gateway_environment.empty());
  EXPECT_THAT(plan->environment, Not(Contains(HasSubstr("PROXY"))));
}

TEST(Environment, RefusesToPassWhatLooksSecretUnlessWrittenOut) {
  FakeHost host;
  host.set("GITHUB_TOKEN", "t");
  Request request = command({"true"});
  request.environment = {"GITHUB_TOKEN"};
  EXPECT_FALSE(make_plan(host, request));
  request.environment = {"GITHUB_TOKEN=given"};
  const auto plan = make_plan(host, request);
  ASSERT_TRUE(plan);
  EXPECT_THAT(plan->environment, Contains("GITHUB_TOKEN=given"));
}

Plan gvisor_plan(FakeHost& host, Request request) {
  host.add_file("/usr/bin/runsc",
                "\x7f"
                "ELF");
  request.profile.isolation = Isolation::kGvisor;
  return *make_plan(host, request);
}
const std::string& config_of(const Plan& plan) {
  return find(plan, "/run/aispm/bundle/config.json")->content;
}

// SBX-020: the same plan with the runtime in between.
TEST(Gvisor, KeepsThePlanAndAddsTheRuntimesFolder) {
  FakeHost host;
  const Plan plain = *make_plan(host, script("agent.py"));
  const Plan plan = gvisor_plan(host, script("agent.py"));
  EXPECT_EQ(plan.runtime.executable, "/usr/bin/runsc");
  EXPECT_EQ(plan.argv, plain.argv);
  EXPECT_EQ(plan.environment, plain.environment);
  for (const auto& mount : plain.mounts) EXPECT_NE(find(plan, mount.target), nullptr);
  EXPECT_EQ(plan.mounts.size(), plain.mounts.size() + 2);
  EXPECT_TRUE(find(plan, "/proc")->is_whole);
  EXPECT_FALSE(find(plain, "/proc")->is_whole);
  EXPECT_EQ(find(plan, kRuntimeFolder)->kind, Mount::Kind::kTmpfs);
}

TEST(Gvisor, WithoutRunscThePlanFailsWithTheRemedy) {
  const FakeHost host;
  Request request = script("agent.py");
  request.profile.isolation = Isolation::kGvisor;
  const auto plan = make_plan(host, request);
  ASSERT_FALSE(plan);
  EXPECT_EQ(plan.error().code, Errc::kUnsupported);
  EXPECT_THAT(plan.error().message, HasSubstr("apt install runsc"));
}

TEST(Gvisor, WritesWordsLimitsAndWhatMayChange) {
  FakeHost host;
  Request request = command({"/usr/bin/true", "a \"b\"\n"});
  request.read_write = {"/home/ann/bot"};
  request.profile.limits.cpu_time = std::chrono::milliseconds(1500);
  Plan plan = gvisor_plan(host, request);
  ASSERT_TRUE(wrap_in_runtime(plan, {false, true, true}, true));
  const std::string& config = config_of(plan);
  EXPECT_THAT(config, HasSubstr(R"("args":["/usr/bin/true","a \"b\"\n"])"));
  EXPECT_THAT(config, HasSubstr(R"("root":{"path":"/","readonly":true})"));
  EXPECT_THAT(
      config,
      HasSubstr(
          R"({"destination":"/home/ann/bot","type":"bind","source":"/home/ann/bot","options":["rbind","rw","nosuid","nodev"]})"));
  EXPECT_THAT(config, HasSubstr(R"({"type":"RLIMIT_CPU","soft":2,"hard":2})"));
  EXPECT_THAT(config, HasSubstr(R"({"type":"RLIMIT_NPROC","soft":256,"hard":256})"));
  EXPECT_THAT(config, Not(HasSubstr("capabilities")));
  EXPECT_THAT(plan.runtime.argv, Contains("--network=host"));
  ASSERT_TRUE(wrap_in_runtime(plan, {true, true, true}, true));
}

TEST(Gvisor, RefusesWordsThatAreNotUtf8) {
  for (const char* bad :
       {"\xff", "a\xc3", "\xc0\x80", "\xed\xa0\x80", "\xf4\x90\x80\x80", "\xe0\x80\x80"}) {
    FakeHost host;
    Plan plan = gvisor_plan(host, command({"/usr/bin/true", bad}));
    EXPECT_FALSE(wrap_in_runtime(plan, {}, true));
  }
  FakeHost host;
  Plan plan =
      gvisor_plan(host, command({"/usr/bin/true", "caf\xc3\xa9 \xe2\x82\xac \xf0\x9f\xa6\x8a"}));
  EXPECT_TRUE(wrap_in_runtime(plan, {}, true));
}

TEST(AgentName, HasBounds) {
  EXPECT_TRUE(is_agent_name("billing-bot/v1.2@eu_west"));
  EXPECT_FALSE(is_agent_name(""));
  EXPECT_FALSE(is_agent_name("a b"));
  EXPECT_FALSE(is_agent_name("caf\xc3\xa9"));
  EXPECT_FALSE(is_agent_name(std::string(129, 'a')));
  EXPECT_TRUE(is_agent_name(std::string(128, 'a')));
}

TEST(Describe, NamesEveryMountAndTheCommand) {
  const FakeHost host;
  const auto plan = make_plan(host, script("agent.py"));
  ASSERT_TRUE(plan);
  const std::string text = describe(*plan);
  for (const auto& mount : plan->mounts) EXPECT_THAT(text, HasSubstr(mount.target));
  EXPECT_THAT(text, HasSubstr("/usr/bin/python3 /home/ann/bot/agent.py --fast"));
  EXPECT_THAT(text, HasSubstr("offline"));
}

}  // namespace
}  // namespace aispm::sandbox
