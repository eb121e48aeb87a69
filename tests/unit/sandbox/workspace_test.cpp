// SPDX-License-Identifier: Apache-2.0
// What a workspace protects, the boundary that is told of it, and the home.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "sandbox/model/sha256.hpp"
#include "tests/unit/sandbox/fake_host.hpp"

namespace aispm::sandbox {
namespace {

using testing::Contains;
using testing::HasSubstr;
using testing::Not;
using testing::StartsWith;

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

TEST(Workspace, ItCannotBecomeABareRepositoryEither) {
  FakeHost host;
  host.add_file("/srv/app/main.c", "");
  EXPECT_THAT(protected_paths(*make_plan(host, in_workspace("/srv/app"))),
              Contains("/srv/app/refs"));
  host.add_placeholder("/srv/app/.git");
  host.add_placeholder("/srv/app/refs");
  EXPECT_THAT(protected_paths(*make_plan(host, in_workspace("/srv/app"))),
              Contains("/srv/app/refs"));
  host.add_file("/srv/own/refs/list.txt", "");  // a folder of the project's
  EXPECT_THAT(protected_paths(*make_plan(host, in_workspace("/srv/own"))),
              Not(Contains("/srv/own/refs")));
  host.add_file("/srv/git/.git/config", "");  // there git looks no further
  EXPECT_THAT(protected_paths(*make_plan(host, in_workspace("/srv/git"))),
              Not(Contains("/srv/git/refs")));
}

// A run beside this one, or a killed one, made it: nothing may be put into it, or it would stay.
TEST(Workspace, ThePlaceholderOfAnotherRunIsAsIfNothingWereThere) {
  FakeHost host;
  host.add_file("/srv/app/main.c", "");
  host.add_placeholder("/srv/app/.git");
  host.add_placeholder("/srv/app/.opencode");
  const auto plan = make_plan(host, in_workspace("/srv/app"));
  ASSERT_TRUE(plan) << plan.error().message;
  EXPECT_EQ(find(*plan, "/srv/app/.git")->kind, Mount::Kind::kBindReadOnly);
  EXPECT_EQ(find(*plan, "/srv/app/.git/hooks"), nullptr);
  EXPECT_EQ(find(*plan, "/srv/app/.opencode")->kind, Mount::Kind::kTmpfs);
  std::vector<std::string> held;
  for (const auto& one : plan->placeholders) held.push_back(one.path);
  EXPECT_THAT(held, Contains("/srv/app/.git"));
  EXPECT_THAT(held, Contains("/srv/app/.opencode"));
}

TEST(Workspace, TheFilesOfItsProfileAreProtected) {
  FakeHost host;
  host.add_file("/srv/app/boxes/own.yaml", "");
  host.add_file("/srv/base.yaml", "");
  Request request = in_workspace("/srv/app");
  request.profile.files = {"/srv/base.yaml", "/srv/app/boxes/own.yaml"};
  const auto plan = make_plan(host, request);
  ASSERT_TRUE(plan) << plan.error().message;
  EXPECT_THAT(protected_paths(*plan), Contains("/srv/app/boxes/own.yaml"));
  EXPECT_EQ(find(*plan, "/srv/base.yaml"), nullptr);
  // A link could be made to lead elsewhere before the next run.
  host.add_link("/srv/app/linked.yaml", "/srv/base.yaml");
  request.profile.files = {"/srv/app/linked.yaml"};
  EXPECT_FALSE(make_plan(host, request));
  request.profile.files = {"/srv/base.yaml"};
  request.read_write = {"/srv"};
  const auto refused = make_plan(host, request);
  ASSERT_FALSE(refused);
  EXPECT_THAT(refused.error().message, HasSubstr("/srv/base.yaml"));
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
  EXPECT_EQ(sha256_hex(""), "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855");
  EXPECT_EQ(sha256_hex("abc"), "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad");
  EXPECT_EQ(sha256_hex("abcdbcdecdefdefgefghfghighijhijkijkljklmklmnlmnomnopnopq"),
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

}  // namespace
}  // namespace aispm::sandbox
