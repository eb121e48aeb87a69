// SPDX-License-Identifier: Apache-2.0
#include "sandbox/plan/program.hpp"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <map>

#include "tests/unit/sandbox/fake_host.hpp"

namespace aispm::sandbox {
namespace {

using testing::HasSubstr;

// What an agent left in its workspace, or who wrote the repository: the next run must not be led by
// it to share a folder of the caller's.
TEST(Program, ALinkInTheWorkspaceSharesNoFolderBehindIt) {
  for (const auto& [link, interpreter] : std::map<std::string, std::string>{
           {"/home/ann/bot/node_modules", "/home/ann/bot/node_modules/bin/tool"},
           {"/home/ann/bot/venv", "/home/ann/bot/venv/bin/python3"},
           {"/home/ann/bot/x", "x/bin/python3"}}) {
    FakeHost host;
    host.add_file("/home/ann/bin/tool", "");
    host.add_file("/home/ann/bin/python3", "");
    host.add_file("/home/ann/lib/y", "");
    host.add_file("/home/ann/pyvenv.cfg", "");
    host.add_link(link, "/home/ann");
    host.add_file("/home/ann/bot/run", "#!" + interpreter + "\n");
    const auto plan = make_plan(host, script("/home/ann/bot/run"));
    ASSERT_TRUE(plan) << plan.error().message;
    for (const auto& mount : plan->mounts)
      EXPECT_FALSE(mount.kind <= Mount::Kind::kBindReadWrite &&
                   (mount.source == "/home/ann" || mount.source == link))
          << link << " shares " << mount.source;
  }
}

TEST(Program, AScriptIsNoLinkOutOfTheWorkspace) {
  FakeHost host;
  host.add_file("/home/ann/other/run.py", "");
  host.add_link("/home/ann/bot/linked.py", "/home/ann/other/run.py");
  host.add_link("/home/ann/bot/own.py", "agent.py");
  Request request = script("linked.py");
  EXPECT_TRUE(make_plan(host, request));
  request.workspace = "/home/ann/bot";
  const auto refused = make_plan(host, request);
  ASSERT_FALSE(refused);
  EXPECT_EQ(refused.error().code, Errc::kInvalid);
  EXPECT_THAT(refused.error().message, HasSubstr("/home/ann/other/run.py"));
  request.command[0] = "own.py";
  EXPECT_TRUE(make_plan(host, request));
}

TEST(Program, PackagesOfNodeAreSharedWhole) {
  FakeHost host;
  host.add_file("/home/ann/.config/nvm/lib/node_modules/claude/cli.js", "#!/usr/bin/true\n");
  host.add_link("/home/ann/.config/nvm/bin/claude",
                "/home/ann/.config/nvm/lib/node_modules/claude/cli.js");
  host.set("PATH", "/home/ann/.config/nvm/bin:/usr/bin");
  const auto plan = make_plan(host, command({"claude"}));
  ASSERT_TRUE(plan) << plan.error().message;
  EXPECT_NE(find(*plan, "/home/ann/.config/nvm/lib/node_modules"), nullptr);
}

TEST(Program, AVersionOfPyenvIsNoPath) {
  FakeHost host;
  host.add_file("/home/ann/.pyenv/shims/python3", "#!/usr/bin/env bash\n");
  host.add_file("/srv/other/bin/python3", "");
  host.add_file("/home/ann/.pyenv/versions/../../../../srv/other/bin/python3", "");
  host.add_file("/home/ann/bot/.python-version", "../../../../srv/other\n");
  host.set("PATH", "/home/ann/.pyenv/shims:/usr/bin");
  const auto plan = make_plan(host, script("agent.py"));
  ASSERT_TRUE(plan) << plan.error().message;
  EXPECT_EQ(plan->executable, "/usr/bin/python3");
}

}  // namespace
}  // namespace aispm::sandbox
