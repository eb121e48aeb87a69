// SPDX-License-Identifier: Apache-2.0
#include "sandbox/model/late.hpp"

#include <gtest/gtest.h>

#include <cstring>

#include "sandbox/model/scratch.hpp"
#include "sandbox/plan/base.hpp"
#include "sandbox/plan/profiles.hpp"

namespace aispm::sandbox {
namespace {

Mount bind(const std::string& path) {
  return {.kind = Mount::Kind::kBindReadOnly, .target = path, .source = path, .content = ""};
}

// A host with /usr and nothing else.
class BareHost : public Host {
 public:
  Type type(const std::string& path) const override {
    return path == "/usr" ? Type::kFolder : Type::kMissing;
  }
  bool is_placeholder(const std::string&) const override { return false; }
  bool is_executable(const std::string&) const override { return false; }
  std::optional<std::string> read_link(const std::string&) const override { return std::nullopt; }
  std::optional<std::string> read_start(const std::string&, std::size_t) const override {
    return std::nullopt;
  }
  std::optional<std::string> resolve(const std::string&) const override { return std::nullopt; }
  std::optional<std::string> environment(const std::string&) const override { return std::nullopt; }
  std::string current_folder() const override { return "/"; }
  std::string home() const override { return "/home/u"; }
};

Want wanted(const std::string& profile = "default") {
  return {profile, "/usr/bin/python3", false, std::string(64, 'a'), {"LANG=C.UTF-8"}};
}

TEST(LateMounts, ComeBackAsTheyWere) {
  std::vector<Mount> mounts = {bind("/a"), bind("/b/c")};
  mounts[1].kind = Mount::Kind::kHomeFile;
  mounts[1].content = std::string("x\0y", 3);
  mounts[1].bytes = 7;
  mounts[1].owner_of = "/b";
  mounts[1].is_in_workspace = true;
  const auto decoded = decode_mounts(encode_mounts(mounts));
  ASSERT_TRUE(decoded);
  EXPECT_EQ(*decoded, mounts);
}

TEST(LateMounts, RefusesWhatIsCutOrLeavesTheSandbox) {
  const std::string whole = encode_mounts({bind("/a")});
  for (std::size_t size = 0; size < whole.size(); ++size)
    EXPECT_FALSE(decode_mounts(whole.substr(0, size))) << size;
  EXPECT_FALSE(decode_mounts(whole + "x"));
  for (const char* target : {"a", "/", "/../etc", "/a/../../b", "/a/.."})
    EXPECT_FALSE(decode_mounts(encode_mounts({bind(target)}))) << target;
  EXPECT_TRUE(decode_mounts(encode_mounts({bind("/a/..b")})));
}

TEST(WantTest, ComesBackAsItWas) {
  const auto text = encode_want(wanted());
  ASSERT_TRUE(text);
  const auto decoded = decode_want(*text);
  ASSERT_TRUE(decoded);
  EXPECT_EQ(*decoded, wanted());
}

TEST(WantTest, RefusesWhatItDoesNotKnow) {
  for (const char* interpreter : {"python3", "/usr/bin/python3 -c x", "/usr/bin/py\nthon"}) {
    Want want = wanted();
    want.interpreter = interpreter;
    EXPECT_FALSE(encode_want(want)) << interpreter;
  }
  for (const char* variable : {"LD_PRELOAD=/x", "LANG=a b", "PYTHONPATH=/x", "LANG"}) {
    Want want = wanted();
    want.locale = {variable};
    EXPECT_FALSE(encode_want(want)) << variable;
  }
  Want want = wanted("../x");
  EXPECT_FALSE(encode_want(want));
  want = wanted();
  want.fingerprint = "short";
  EXPECT_FALSE(encode_want(want));
  EXPECT_FALSE(decode_want(""));
  EXPECT_FALSE(decode_want("aispm-pool 2\ndefault\n\noffline\n" + std::string(64, 'a')));
}

TEST(EnterFile, HoldsHeaderAndTexts) {
  const auto bytes = encode_enter({}, "/f", "/e", "", {"a", ""}, {"X=1"});
  ASSERT_TRUE(bytes);
  EnterHeader header{};
  std::memcpy(&header, bytes->data(), sizeof(header));
  EXPECT_EQ(header.arguments, 2U);
  EXPECT_EQ(header.variables, 1U);
  EXPECT_EQ(bytes->substr(header.text_offset), std::string("/f\0/e\0\0a\0\0X=1\0", 14));
  EXPECT_FALSE(encode_enter({}, "/f", "/e", "", {std::string("a\0b", 3)}, {}));
  EXPECT_FALSE(encode_enter({}, "/f", "/e", "", {std::string(kMaxEnterBytes, 'a')}, {}));
}

TEST(Base, DiffersWhereTheSandboxWould) {
  const BareHost host;
  const auto base = make_base(host, wanted());
  ASSERT_TRUE(base) << base.error().message;
  const std::string same = fingerprint_of(*make_base(host, wanted()));
  EXPECT_EQ(fingerprint_of(*base), same);
  EXPECT_NE(fingerprint_of(*make_base(host, wanted("python"))), same);
  Want online = wanted();
  online.is_online = true;
  EXPECT_NE(fingerprint_of(*make_base(host, online)), same);
  Plan other = *base;
  other.limits.memory_bytes += 1;
  EXPECT_NE(fingerprint_of(other), same);
  EXPECT_FALSE(make_base(host, wanted("./mine.yaml")));
}

TEST(Base, GivesTheMountsThatAreMissing) {
  const auto base = make_base(BareHost(), wanted());
  ASSERT_TRUE(base);
  Plan plan = *base;
  plan.mounts.push_back(bind("/work/agent"));
  const auto late = late_mounts(plan, *base);
  ASSERT_TRUE(late) << late.error().message;
  ASSERT_EQ(late->size(), 1U);
  EXPECT_EQ((*late)[0].target, "/work/agent");
}

// Process 1 counts scratch folders before anything comes late; a stand-in in a workspace is none of
// them.
TEST(Base, TakesAWorkspacesStandInLateButNoScratch) {
  const auto base = make_base(BareHost(), wanted());
  ASSERT_TRUE(base);
  Plan plan = *base;
  Mount workspace = bind("/work/agent");
  workspace.kind = Mount::Kind::kBindReadWrite;
  Mount stand_in = bind("/work/agent/.opencode");
  stand_in.kind = Mount::Kind::kTmpfs;
  plan.mounts.push_back(workspace);
  plan.mounts.push_back(stand_in);
  const auto late = late_mounts(plan, *base);
  ASSERT_TRUE(late) << late.error().message;
  EXPECT_EQ(late->size(), 2U);
  EXPECT_EQ(scratch_folders(plan.mounts).size(), scratch_folders(base->mounts).size());
  stand_in.target = "/elsewhere";
  plan.mounts.push_back(stand_in);
  EXPECT_FALSE(late_mounts(plan, *base));
}

TEST(Base, IsOfNoUseForOtherLimitsOrWhatWouldHideIt) {
  const auto base = make_base(BareHost(), wanted());
  ASSERT_TRUE(base);
  const auto is_usable = [&](auto&& change) {
    Plan plan = *base;
    change(plan);
    return late_mounts(plan, *base).has_value();
  };
  EXPECT_TRUE(is_usable([](Plan&) {}));
  EXPECT_TRUE(is_usable([](Plan& plan) { plan.limits.output_bytes = 5; }));
  EXPECT_FALSE(is_usable([](Plan& plan) { plan.limits.memory_bytes = 5; }));
  EXPECT_FALSE(is_usable([](Plan& plan) { plan.limits.pids = 5; }));
  EXPECT_FALSE(is_usable([](Plan& plan) { plan.limits.cpu_milli = 5; }));
  EXPECT_FALSE(is_usable([](Plan& plan) { plan.landlock_min_abi = 99; }));
  EXPECT_FALSE(is_usable([](Plan& plan) { plan.environment.push_back("PYTHONHASHSEED=1"); }));
  EXPECT_FALSE(is_usable([](Plan& plan) { plan.mounts.pop_back(); }));
  EXPECT_FALSE(is_usable([](Plan& plan) { plan.mounts.push_back(bind("/dev")); }));
}

}  // namespace
}  // namespace aispm::sandbox
