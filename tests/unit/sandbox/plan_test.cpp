// SPDX-License-Identifier: Apache-2.0
#include "sandbox/plan/plan.hpp"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <map>

#include "sandbox/model/sha256.hpp"
#include "sandbox/plan/profiles.hpp"

namespace aispm::sandbox {
namespace {

using testing::Contains;
using testing::HasSubstr;
using testing::Not;
using testing::StartsWith;

// A host made of a map: "path" -> content, "path" -> "-> target" for links, "path/" for folders.
class FakeHost : public Host {
 public:
  FakeHost() {
    for (const char* folder : {"/", "/usr", "/usr/bin", "/etc", "/etc/ssl", "/etc/ssl/certs",
                               "/home", "/home/ann", "/home/ann/bot", "/tmp"})
      folders_[folder] = true;
    add_link("/bin", "usr/bin");
    add_file("/usr/bin/python3",
             "\x7f"
             "ELF");
    add_file("/usr/bin/true",
             "\x7f"
             "ELF");
    add_file("/home/ann/bot/agent.py", "print(1)\n");
    variables_ = {{"PATH", "/usr/bin"}, {"HOME", "/home/ann"}};
  }
  void add_file(const std::string& path, const std::string& text) {
    files_[path] = text;
    for (std::string at = parent_of(path); at != "/"; at = parent_of(at)) folders_[at] = true;
  }
  void add_link(const std::string& path, const std::string& target) {
    links_[path] = target;
    for (std::string at = parent_of(path); at != "/"; at = parent_of(at)) folders_[at] = true;
  }
  void set(const std::string& name, const std::string& value) { variables_[name] = value; }
  void enter(const std::string& folder) { current_ = folder; }

  Type type(const std::string& path) const override {
    if (links_.contains(path)) return Type::kSymlink;
    if (files_.contains(path)) return Type::kFile;
    return folders_.contains(path) ? Type::kFolder : Type::kMissing;
  }
  bool is_executable(const std::string& path) const override { return !path.ends_with(".txt"); }
  std::optional<std::string> read_link(const std::string& path) const override {
    const auto found = links_.find(path);
    return found == links_.end() ? std::nullopt : std::optional(found->second);
  }
  std::optional<std::string> read_start(const std::string& path, std::size_t limit) const override {
    const auto found = files_.find(path);
    return found == files_.end() ? std::nullopt : std::optional(found->second.substr(0, limit));
  }
  std::optional<std::string> resolve(const std::string& path) const override {
    std::string at = path;
    for (int i = 0; i < 8; ++i) {
      bool changed = false;
      for (const auto& [link, target] : links_)
        if (lies_in(at, link)) {
          at = (target.starts_with("/")
                    ? target
                    : parent_of(link) + (parent_of(link) == "/" ? "" : "/") + target) +
               at.substr(link.size());
          changed = true;
          break;
        }
      if (!changed) break;
    }
    return type(at) == Type::kMissing ? std::nullopt : std::optional(at);
  }
  std::optional<std::string> environment(const std::string& name) const override {
    const auto found = variables_.find(name);
    return found == variables_.end() ? std::nullopt : std::optional(found->second);
  }
  std::string current_folder() const override { return current_; }
  std::string home() const override { return "/home/ann"; }

 private:
  std::map<std::string, std::string> files_;
  std::map<std::string, std::string> links_;
  std::map<std::string, bool> folders_;
  std::map<std::string, std::string> variables_;
  std::string current_ = "/home/ann/bot";
};

Request script(const std::string& path) {
  Request request;
  request.command = {path, "--fast"};
  request.is_script = true;
  request.session_id = "s-1";
  request.profile = profile_for("");
  return request;
}
Request command(std::vector<std::string> words) {
  Request request;
  request.command = std::move(words);
  request.session_id = "s-1";
  request.profile = profile_for("");
  return request;
}

const Mount* find(const Plan& plan, const std::string& target) {
  for (const auto& mount : plan.mounts)
    if (mount.target == target) return &mount;
  return nullptr;
}

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
  for (const char* path : {"/", "/home/ann", "/home", "/etc", "/home/ann/../ann"}) {
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

std::vector<std::string> protected_paths(const Plan& plan) {
  std::vector<std::string> paths;
  for (const auto& mount : plan.mounts)
    if (mount.is_in_workspace && mount.kind == Mount::Kind::kBindReadOnly)
      paths.push_back(mount.target);
  return paths;
}
Request in_workspace(const std::string& folder) {
  Request request = command({"true"});
  request.workspace = folder;
  request.profile = profile_for("claude");
  return request;
}

TEST(Workspace, ProtectsWhatIsThereAndWhatIsNot) {
  FakeHost host;
  host.add_file("/srv/app/.git/config", "");
  host.add_file("/srv/app/.git/hooks/pre-commit.sample", "");
  host.add_file("/srv/app/.mcp.json", "{}");
  const auto plan = make_plan(host, in_workspace("/srv/app"));
  ASSERT_TRUE(plan) << plan.error().message;
  EXPECT_EQ(find(*plan, "/srv/app")->kind, Mount::Kind::kBindReadWrite);
  for (const char* path : {"/srv/app/.git/config", "/srv/app/.git/hooks", "/srv/app/.mcp.json",
                           "/srv/app/.vscode", "/srv/app/.claude", "/srv/app/.envrc"})
    EXPECT_THAT(protected_paths(*plan), Contains(path));
  std::vector<std::string> missing;
  for (const auto& one : plan->placeholders) missing.push_back(one.path);
  EXPECT_THAT(missing, Contains("/srv/app/.vscode"));
  EXPECT_THAT(missing, Not(Contains("/srv/app/.mcp.json")));
}

TEST(Workspace, AFolderOnTheWayToAProtectedPathCannotBeRenamed) {
  FakeHost host;
  host.add_file("/srv/app/.git/config", "");
  const auto plan = make_plan(host, in_workspace("/srv/app"));
  ASSERT_TRUE(plan);
  ASSERT_NE(find(*plan, "/srv/app/.git"), nullptr);  // a mount point answers EBUSY
  EXPECT_EQ(find(*plan, "/srv/app/.git")->kind, Mount::Kind::kBindReadWrite);
}

TEST(Workspace, WithoutARepositoryNoneCanBeMade) {
  FakeHost host;
  host.add_file("/srv/app/main.c", "");
  const auto plan = make_plan(host, in_workspace("/srv/app"));
  ASSERT_TRUE(plan);
  EXPECT_THAT(protected_paths(*plan), Contains("/srv/app/.git"));
  EXPECT_EQ(find(*plan, "/srv/app/.git/hooks"), nullptr);
}

TEST(Workspace, RefusesToProtectALink) {
  FakeHost host;
  host.add_file("/srv/app/main.c", "");
  host.add_file("/srv/shared/settings", "");
  host.add_link("/srv/app/.claude", "/srv/shared");
  Request request = in_workspace("/srv/app");
  const auto plan = make_plan(host, request);
  ASSERT_FALSE(plan);
  EXPECT_THAT(plan.error().message, HasSubstr("/srv/app/.claude"));
  request.profile.dangerous.unprotected_paths = {".claude"};
  EXPECT_TRUE(make_plan(host, request));
}

TEST(Workspace, TheCodingAgentsIsTheCurrentFolder) {
  FakeHost host;
  host.enter("/home/ann/bot");
  Request request = in_workspace("");
  const auto plan = make_plan(host, request);
  ASSERT_TRUE(plan) << plan.error().message;
  EXPECT_EQ(plan->workspace, "/home/ann/bot");
  EXPECT_EQ(plan->folder, "/home/ann/bot");
  host.enter("/home/ann");
  const auto refused = make_plan(host, request);
  ASSERT_FALSE(refused);
  EXPECT_THAT(refused.error().message, HasSubstr("current folder"));
}

TEST(Workspace, InAHomeFolderShellFilesAreProtectedToo) {
  FakeHost host;
  Request request = in_workspace("/home/ann");
  request.profile.dangerous.sensitive_paths = true;
  const auto plan = make_plan(host, request);
  ASSERT_TRUE(plan) << plan.error().message;
  EXPECT_THAT(protected_paths(*plan), Contains("/home/ann/.bashrc"));
  EXPECT_THAT(protected_paths(*plan), Contains("/home/ann/.ssh"));
}

// SBX-031: a folder's name is not a prefix of another folder's.
TEST(Workspace, AFolderWithALongerNameIsNotShared) {
  FakeHost host;
  host.add_file("/srv/work/a", "");
  host.add_file("/srv/workevil/b", "");
  const auto plan = make_plan(host, in_workspace("/srv/work"));
  ASSERT_TRUE(plan);
  for (const auto& mount : plan->mounts) EXPECT_FALSE(mount.target.starts_with("/srv/workevil"));
}

// SBX-034: what holds a run in is written down, and equal runs write the same.
TEST(Boundary, IsEqualForEqualRunsAndNamesEachMount) {
  const FakeHost host;
  const Plan plan = *make_plan(host, script("agent.py"));
  const auto lines = describe_boundary(plan, {"seccomp", "hostuid:1627389952"}, {"program x"});
  EXPECT_EQ(lines, describe_boundary(plan, {"seccomp", "hostuid:1627389953"}, {"program x"}));
  EXPECT_THAT(lines,
              testing::IsSupersetOf({"mount read-only /home/ann/bot", "egress none",
                                     "limit memory 536870912", "mechanism seccomp", "program x"}));
  Request request = script("agent.py");
  request.read_write = {"/home/ann/bot"};
  const Plan wider = *make_plan(host, request);
  EXPECT_THAT(describe_boundary(wider, {}, {}), Contains("mount read-write /home/ann/bot"));
}

TEST(Sha256, GivesTheStandardsExamples) {
  const auto digest = [](std::string_view text) {
    Sha256 hash;
    hash.add({reinterpret_cast<const std::uint8_t*>(text.data()), text.size()});
    return to_hex(hash.finish());
  };
  EXPECT_EQ(digest(""), "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855");
  EXPECT_EQ(digest("abc"), "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad");
  EXPECT_EQ(digest("abcdbcdecdefdefgefghfghighijhijkijkljklmklmnlmnomnopnopq"),
            "248d6a61d20638b8e5c026930c3e6039a33ce45964ff2167f6ecedd419db06c1");
}

TEST(Home, APrivateOneHoldsTheProfilesFiles) {
  const FakeHost host;
  Request request = in_workspace("");
  request.gateway_socket = "/run/g.sock";
  const auto plan = make_plan(host, request);
  ASSERT_TRUE(plan) << plan.error().message;
  EXPECT_THAT(plan->environment, Contains("HOME=/home/agent"));
  ASSERT_NE(find(*plan, "/home/agent/.codex/config.toml"), nullptr);
  EXPECT_THAT(find(*plan, "/home/agent/.codex/config.toml")->content,
              HasSubstr("http://127.0.0.1:61088/v1"));
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
