// SPDX-License-Identifier: Apache-2.0
// RT-001, RT-003: what the collector makes of the red team's own words.
#include <gmock/gmock.h>

#include <filesystem>

#include "gateway/collector/redteam/report.hpp"
#include "gateway/collector/redteam/runs.hpp"
#include "tests/unit/collector/support.hpp"

namespace aispm::collector::redteam {
namespace {

using test::must;
using testing::ElementsAre;
using testing::HasSubstr;

constexpr char kReport[] =
    R"({"gateway":"http://g","seconds":1.5,"unjudged":{"late":2,"HTTP 400":1},"figures":{
  "attacks":{"all":{"flagged":{"hits":8,"of":10}}},"false_positives":{"all":{"flagged":{"hits":1,"of":60}}},
  "by_category":{"injection":{"flagged":{"hits":5,"of":6}},"jailbreak":{"flagged":{"hits":3,"of":4}}},
  "secrets":{"aws":{"found":{"hits":1,"of":2}},"jwt":{"found":{"hits":2,"of":2}}},"pii":{}}})";

TEST(RedTeamReport, GivesSharesByCategoryWithSecretsAsOne) {
  pb::RedTeamRun run;
  ASSERT_TRUE(read_report(kReport, run));
  EXPECT_EQ(run.gateway(), "http://g");
  EXPECT_DOUBLE_EQ(run.seconds(), 1.5);
  EXPECT_EQ(run.unjudged(), 3U);
  EXPECT_EQ(run.found().hits(), 8U);
  EXPECT_EQ(run.false_positives().of(), 60U);
  ASSERT_EQ(run.categories_size(), 3);
  EXPECT_EQ(run.categories(2).name(), "secret");
  EXPECT_EQ(run.categories(2).hits(), 3U);
  EXPECT_EQ(run.categories(2).of(), 4U);
}

TEST(RedTeamReport, RefusesWhatIsNone) {
  pb::RedTeamRun run;
  for (const char* wrong : {"", "{", "[]", "{}", R"({"figures":1})"})
    EXPECT_FALSE(read_report(wrong, run)) << wrong;
  ASSERT_TRUE(
      read_report(R"({"figures":{"by_category":{"x":{"flagged":{"hits":-1,"of":"2"}}}}})", run));
  EXPECT_EQ(run.categories(0).hits(), 0U);
  pb::RedTeamCorpus corpus;
  for (const char* wrong : {"", "{}", R"({"sets":[]})", R"({"sets":[{},{}]})"})
    EXPECT_FALSE(read_corpus(wrong, corpus)) << wrong;
  ASSERT_TRUE(read_corpus(R"({"sets":[{"rows":3,"licences":["MIT"]}]})", corpus));
  EXPECT_EQ(corpus.rows(), 3U);
  EXPECT_THAT(corpus.licences(), ElementsAre("MIT"));
}

TEST(RedTeamRuns, NeedAGatewayInTheConfiguration) {
  const auto runs = must(Runs::open({}, ::testing::TempDir()));
  const auto started = runs->start({}, "me", {});
  ASSERT_FALSE(started);
  EXPECT_EQ(started.error().code, Errc::kUnsupported);
  EXPECT_EQ(must(runs->list()).runs_size(), 0);
}

class RunsTest : public ::testing::Test {
 protected:
  void SetUp() override {
    folder_ = ::testing::TempDir() + "aispm-redteam-" + std::to_string(::getpid());
    std::filesystem::create_directories(folder_);
    RedTeamConfig config;
    config.gateway = "http://127.0.0.1:1";
    config.key_file = folder_ + "/key";
    config.program = folder_ + "/nowhere";
    runs_ = must(Runs::open(config, folder_));
  }
  void TearDown() override {
    runs_.reset();
    std::filesystem::remove_all(folder_);
  }
  std::string folder_;
  std::unique_ptr<Runs> runs_;
};

TEST_F(RunsTest, TakeNoNamesThatCouldBePlaces) {
  for (const char* name : {"", "..", "a/b", "A", "a.b"}) {
    pb::PutRedTeamCorpusRequest request;
    request.set_name(name);
    EXPECT_EQ(runs_->put(request).error().code, Errc::kInvalid) << name;
    EXPECT_EQ(runs_->remove(name).error().code, Errc::kInvalid) << name;
    pb::StartRedTeamRequest start;
    start.add_corpora(name);
    EXPECT_EQ(runs_->start(start, "me", {}).error().code, Errc::kInvalid) << name;
  }
  for (const char* id : {"", "../../x", "0190f4a2-7c1e-7abc-8def-0123456789ab"})
    EXPECT_EQ(runs_->get(id).error().code, Errc::kNotFound) << id;
}

TEST_F(RunsTest, SayWhereTheProgramShouldBe) {
  const auto started = runs_->start({}, "me", {});
  ASSERT_FALSE(started);
  EXPECT_THAT(started.error().message, HasSubstr("nowhere: `aispm redteam` is not installed"));
  EXPECT_EQ(must(runs_->list()).runs_size(), 0);
}

}  // namespace
}  // namespace aispm::collector::redteam
