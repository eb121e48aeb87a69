// SPDX-License-Identifier: Apache-2.0
// libaispm as another program uses it: through its header, and nothing else of ours.
#include <gmock/gmock.h>
#include <sys/stat.h>

#include <filesystem>
#include <fstream>

#include "aispm.hpp"

namespace aispm::sdk {
namespace {

namespace fs = std::filesystem;
using testing::HasSubstr;

class Library : public testing::Test {
 protected:
  void SetUp() override {
    std::string name = (fs::temp_directory_path() / "aispm-lib-XXXXXX").string();
    ASSERT_NE(::mkdtemp(name.data()), nullptr);
    folder_ = name;
    write("actions.yaml", "rules: [{id: a, match: {tool: t}, outcome: allow}]\n");
    write("commands.yaml", "rules: [{id: c, command: npm test, outcome: allow}]\n");
  }
  void TearDown() override { fs::remove_all(folder_); }
  void write(const std::string& name, const std::string& text) {
    std::ofstream(folder_ / name) << text;
    ::chmod((folder_ / name).c_str(), 0644);
  }
  fs::path folder_;
};

TEST_F(Library, Decides) {
  const Policy policy = Policy::open(folder_.string());
  EXPECT_EQ(policy.version().size(), 64U);
  EXPECT_THAT(policy.decide(R"({"tool": "t"})"), HasSubstr(R"("outcome":"allow")"));
  EXPECT_THAT(policy.decide(R"({"tool": "u"})"), HasSubstr(R"("rule":"defaults")"));
  EXPECT_THAT(policy.command("npm test"), HasSubstr(R"("outcome":"allow")"));
  EXPECT_THAT(policy.command("npm test; rm -rf /"), HasSubstr(R"("outcome":"deny")"));
}

// What was decided in the collector counts as it does in a gateway.
TEST_F(Library, LooksAtTheRegistryThatItIsGiven) {
  fs::create_directory(folder_ / "bundle");
  fs::create_directory(folder_ / "registry");
  write("bundle/actions.yaml", "defaults: {outcome: allow}\nrules: []\n");
  write("registry/registry.yaml",
        "tools:\n  - {name: t, blocked: true}\nagents:\n  - {agent: a, blocked: true}\n");
  const std::string bundle = (folder_ / "bundle").string();
  const std::string registry = (folder_ / "registry").string();
  EXPECT_THAT(Policy::open(bundle).decide(R"({"tool": "t"})"), HasSubstr(R"("outcome":"allow")"));
  const Policy policy = Policy::open(bundle, {}, registry);
  EXPECT_THAT(policy.decide(R"({"tool": "t"})"), HasSubstr(R"("rule":"tools.blocked")"));
  EXPECT_THAT(policy.decide(R"({"tool": "u"})"), HasSubstr(R"("outcome":"allow")"));
  EXPECT_THAT(policy.decide(R"({"tool": "u", "agent": "a"})"),
              HasSubstr(R"("rule":"agent.blocked")"));
  EXPECT_THAT([&] { Policy::open(bundle, {}, bundle); },
              testing::ThrowsMessage<std::runtime_error>(HasSubstr("has no registry.yaml")));
  EXPECT_EQ(aispm_policy_open_with_registry(bundle.c_str(), nullptr, nullptr, 0, nullptr), nullptr);
}

TEST_F(Library, DeniesWhatItCannotRead) {
  const Policy policy = Policy::open(folder_.string());
  for (const char* action : {"", "{", "[]", "{\"tool\": 5}", "{\"tol\": \"t\"}",
                             R"({"tool": "u", "tool": "t"})", R"({"tool": "t", "posture": 2})"}) {
    EXPECT_THAT(policy.decide(action), HasSubstr(R"("outcome":"deny")")) << action;
    EXPECT_THAT(policy.decide(action), HasSubstr("action.unreadable")) << action;
  }
  EXPECT_THAT(policy.decide(std::string(3U << 20, ' ')), HasSubstr("action.unreadable"));
  EXPECT_THAT(policy.command(std::string(2U << 20, 'x')), HasSubstr("command.unreadable"));
}

TEST_F(Library, SaysWhyABundleIsRefused) {
  EXPECT_THAT([&] { Policy::open("/nowhere"); },
              testing::ThrowsMessage<std::runtime_error>(HasSubstr("/nowhere")));
  EXPECT_THAT([&] { Policy::open(folder_.string(), {"no key"}); },
              testing::Throws<std::runtime_error>());
  write("actions.yaml", "rules:\n  - {id: a}\n  - {id: a}\n");
  EXPECT_THAT([&] { Policy::open(folder_.string()); },
              testing::ThrowsMessage<std::runtime_error>(HasSubstr("actions.yaml:")));
}

TEST_F(Library, TakesNullForAnAnswerItCannotGive) {
  char* error = nullptr;
  EXPECT_EQ(aispm_policy_open(nullptr, nullptr, 0, &error), nullptr);
  EXPECT_STREQ(error, "a pointer is null");
  aispm_text_free(error);
  EXPECT_EQ(aispm_policy_open(nullptr, nullptr, 0, nullptr), nullptr);
  char* const answer = aispm_policy_decide(nullptr, "{}", 2);
  EXPECT_THAT(answer, HasSubstr("deny"));
  aispm_text_free(answer);
  aispm_policy_close(nullptr);
}

}  // namespace
}  // namespace aispm::sdk
