// SPDX-License-Identifier: Apache-2.0
#include "sdk/core/policy/bundle.hpp"

#include <gmock/gmock.h>
#include <sys/stat.h>
#include <unistd.h>

#include <filesystem>
#include <fstream>
#include <map>

#include "sdk/core/common/ed25519.hpp"
#include "sdk/core/policy/write_folder.hpp"

namespace aispm::policy {
namespace {

namespace fs = std::filesystem;
using testing::HasSubstr;

std::vector<FolderFile> sample() {
  return {{"actions.yaml", "rules: [{id: a, match: {tool: t}, outcome: allow}]\n"},
          {"commands.yaml", "rules: [{id: c, command: npm test, outcome: allow}]\n"},
          {"data.json", R"({"settings": {"limit": 5}})"},
          {"rego/x.rego", "package aispm.x\nimport rego.v1\ndecision := data.settings.limit\n"},
          {"rego/tests/cases.json", "{}"},
          {"risk.yaml", "thresholds: {block_at: 0.5}\n"}};
}

std::string why(const Result<std::string>& result) { return result ? "" : result.error().message; }

TEST(Bundle, IsOneThing) {
  const auto bundle = Bundle::compile(sample());
  ASSERT_TRUE(bundle) << bundle.error().message;
  EXPECT_EQ((*bundle)->actions()->decide({.tool = "t"}, {}).rule_id, "a");
  EXPECT_EQ((*bundle)->commands()->judge("npm test").rule_id, "c");
  EXPECT_EQ((*bundle)->rego()->evaluate("data.aispm.x.decision", "{}").value(), "5");
  EXPECT_EQ((*bundle)->risk().block_at, 0.5);
  EXPECT_EQ((*bundle)->version().size(), 64U);
  EXPECT_EQ((*bundle)->signed_by(), "");
  auto other = sample();
  other[0].content += " ";
  EXPECT_NE((*Bundle::compile(other))->version(), (*bundle)->version());
}

// What stays behind when something is wrong would be taken for the whole.
TEST(WriteFolder, IsThereWholeOrNotAtAll) {
  std::string pattern = fs::temp_directory_path() / "aispm-folder-XXXXXX";
  const fs::path parent = ::mkdtemp(pattern.data());
  const std::string out = parent / "out";
  const auto entries = [&] {
    return std::distance(fs::directory_iterator(parent), fs::directory_iterator());
  };
  for (const char* const bad : {"", "/etc/x", "../x", "a/../../x", "a//b", "a/", "./a", "a/."}) {
    const auto done = write_folder(out, {{"a.yaml", "1"}, {bad, "2"}});
    ASSERT_FALSE(done) << bad;
    EXPECT_EQ(done.error().code, Errc::kInvalid) << bad;
  }
  EXPECT_FALSE(write_folder(out, {{"a", "1"}, {"a", "2"}})) << "twice";
  EXPECT_FALSE(write_folder(out, {{"a", "1"}, {"a/b", "2"}})) << "a file is no folder";
  EXPECT_FALSE(write_folder(out, {{std::string(300, 'x'), "1"}, {"b", "2"}})) << "no name";
  EXPECT_FALSE(write_folder((parent / "none" / "out").string(), {{"a", "1"}})) << "no parent";
  EXPECT_EQ(entries(), 0);

  const auto done = write_folder(out + "/", sample());
  ASSERT_TRUE(done) << done.error().message;
  EXPECT_EQ(entries(), 1);
  const auto by_path = [](const std::vector<FolderFile>& files) {
    std::map<std::string, std::string> contents;
    for (const FolderFile& file : files) contents[file.path] = file.content;
    return contents;
  };
  const auto written = read_safe_folder(out);
  ASSERT_TRUE(written) << written.error().message;
  EXPECT_EQ(by_path(*written), by_path(sample()));
  EXPECT_EQ(fs::status(out).permissions(), fs::perms(0755));
  EXPECT_EQ(write_folder(out, {{"a", "1"}}).error().code, Errc::kExists);
  EXPECT_FALSE(fs::exists(fs::path(out) / "a"));
  fs::create_directory(parent / "empty");
  EXPECT_FALSE(write_folder((parent / "empty").string(), {{"a", "1"}})) << "be it empty";
  fs::create_symlink("nowhere", parent / "link");
  EXPECT_FALSE(write_folder((parent / "link").string(), {{"a", "1"}}));
  EXPECT_EQ(entries(), 3);
  fs::remove_all(parent);
}

TEST(Bundle, ErrorsNameFileAndLine) {  // POL-021
  const auto error_of = [](FolderFile file) {
    return Bundle::compile({std::move(file)}).error().message;
  };
  EXPECT_THAT(error_of({"actions.yaml", "rules:\n  - {id: a, outcome: perhaps}"}),
              HasSubstr("actions.yaml:2"));
  EXPECT_THAT(error_of({"commands.yaml", "rules:\n  - {id: a, outcome: deny}"}),
              HasSubstr("commands.yaml:2"));
  EXPECT_THAT(error_of({"rego/x.rego", "package x\nimport rego.v1\ny if {"}),
              HasSubstr("rego/x.rego:3"));
  EXPECT_THAT(error_of({"action.yaml", "rules: []"}), HasSubstr("no part of a bundle"));
}

TEST(Signature, AnyChangedByteIsSeen) {  // POL-006
  const auto keys = ed25519::make_keys();
  const auto strangers = ed25519::make_keys();
  ASSERT_TRUE(keys && strangers);
  auto files = sample();
  EXPECT_THAT(why(verify_bundle(files, {keys->public_pem})), HasSubstr("not signed"));
  const auto signature = sign_bundle(files, keys->secret_pem);
  ASSERT_TRUE(signature) << signature.error().message;
  files.push_back({Bundle::kSignatureFile, *signature});
  EXPECT_EQ(verify_bundle(files, {strangers->public_pem, keys->public_pem}).value(),
            ed25519::key_id(keys->public_pem).value());
  EXPECT_THAT(why(verify_bundle(files, {strangers->public_pem})), HasSubstr("not trusted"));
  for (std::size_t file = 0; file + 1 < files.size(); ++file) {
    for (std::size_t byte = 0; byte < files[file].content.size(); ++byte) {
      auto changed = files;
      changed[file].content[byte] ^= 1;
      EXPECT_FALSE(verify_bundle(changed, {keys->public_pem}))
          << files[file].path << " byte " << byte;
    }
  }
  for (std::size_t byte = 0; byte < signature->size(); ++byte) {
    auto changed = files;
    changed.back().content[byte] ^= 1;
    EXPECT_FALSE(verify_bundle(changed, {keys->public_pem})) << "signature byte " << byte;
  }
  auto renamed = files;
  renamed[0].path = "commands.yaml";
  EXPECT_FALSE(verify_bundle(renamed, {keys->public_pem}));
  auto fewer = files;
  fewer.erase(fewer.begin());
  EXPECT_FALSE(verify_bundle(fewer, {keys->public_pem}));
}

TEST(Signature, IsAskedForWhenItMustBeThere) {
  const auto keys = ed25519::make_keys();
  ASSERT_TRUE(keys);
  auto files = sample();
  EXPECT_FALSE(
      Bundle::compile(files, {.trusted_keys = {keys->public_pem}, .must_be_signed = true}));
  EXPECT_FALSE(Bundle::compile(files, {.trusted_keys = {}, .must_be_signed = true}))
      << "no key is trusted";
  files.push_back({Bundle::kSignatureFile, sign_bundle(files, keys->secret_pem).value()});
  const auto bundle =
      Bundle::compile(files, {.trusted_keys = {keys->public_pem}, .must_be_signed = true});
  ASSERT_TRUE(bundle) << bundle.error().message;
  EXPECT_EQ((*bundle)->signed_by(), ed25519::key_id(keys->public_pem).value());
  files[0].content += "\n";
  EXPECT_FALSE(
      Bundle::compile(files, {.trusted_keys = {keys->public_pem}, .must_be_signed = false}))
      << "a signature that does not hold is never overlooked";
  EXPECT_FALSE(ed25519::sign(Secret("no key"), "x"));
  EXPECT_FALSE(ed25519::verify("no key", "x", "y"));
}

// POL-007
class SafeFolder : public testing::Test {
 protected:
  void SetUp() override {
    std::string name = fs::temp_directory_path() / "aispm-bundle-XXXXXX";
    ASSERT_NE(::mkdtemp(name.data()), nullptr);
    root_ = name;
    folder_ = root_ / "bundle";
    fs::create_directories(folder_ / "rego");
    put("actions.yaml", "rules: []\n");
    put("rego/x.rego", "package x\n");
    ::chmod(folder_.c_str(), 0755);
    ::chmod((folder_ / "rego").c_str(), 0755);
  }
  void TearDown() override { fs::remove_all(root_); }
  void put(const std::string& path, const std::string& content) const {
    std::ofstream(folder_ / path) << content;
    ::chmod((folder_ / path).c_str(), 0644);
  }
  std::string error(FolderLimits limits = {}) const {
    const auto files = read_safe_folder(folder_, limits);
    return files ? "" : files.error().message;
  }
  fs::path root_;
  fs::path folder_;
};

TEST_F(SafeFolder, ReadsWhatIsThere) {
  const auto files = read_safe_folder(folder_);
  ASSERT_TRUE(files) << files.error().message;
  ASSERT_EQ(files->size(), 2U);
  EXPECT_EQ((*files)[0].path, "actions.yaml");
  EXPECT_EQ((*files)[1].path, "rego/x.rego");
  EXPECT_TRUE(Bundle::load(folder_));
}

TEST_F(SafeFolder, RefusesLinks) {
  fs::create_symlink("/etc/passwd", folder_ / "risk.yaml");
  EXPECT_THAT(error(), HasSubstr("symbolic link"));
  fs::remove(folder_ / "risk.yaml");
  fs::rename(folder_ / "rego", root_ / "elsewhere");
  fs::create_directory_symlink(root_ / "elsewhere", folder_ / "rego");
  EXPECT_THAT(error(), HasSubstr("symbolic link"));
  fs::create_directory_symlink(folder_, root_ / "link");
  EXPECT_FALSE(read_safe_folder(root_ / "link"));
}

TEST_F(SafeFolder, RefusesWhatOthersMayChange) {
  ::chmod((folder_ / "actions.yaml").c_str(), 0666);
  EXPECT_THAT(error(), HasSubstr("others may write"));
  ::chmod((folder_ / "actions.yaml").c_str(), 0664);
  EXPECT_THAT(error(), HasSubstr("others may write"));
  ::chmod((folder_ / "actions.yaml").c_str(), 0644);
  ::chmod((folder_ / "rego").c_str(), 0777);
  EXPECT_THAT(error(), HasSubstr("others may write"));
  ::chmod((folder_ / "rego").c_str(), 0755);
  ::chmod(folder_.c_str(), 01777);
  EXPECT_THAT(error(), HasSubstr("others may write"));
}

TEST_F(SafeFolder, RefusesPipesHiddenFilesAndTooMuch) {
  ASSERT_EQ(::mkfifo((folder_ / "data.json").c_str(), 0600), 0);
  EXPECT_THAT(error(), HasSubstr("neither a plain file nor a folder"));
  fs::remove(folder_ / "data.json");
  EXPECT_THAT(error({.file_bytes = 5}), HasSubstr("5 bytes"));
  EXPECT_THAT(error({.files = 1}), HasSubstr("more than 1 files"));
  EXPECT_THAT(error({.total_bytes = 15}), HasSubstr("15"));
  put(".hidden", "x");
  EXPECT_THAT(error(), HasSubstr("hidden"));
  EXPECT_FALSE(read_safe_folder(folder_ / "nothing"));
}

TEST_F(SafeFolder, RefusesFilesOfOtherUsers) {
  if (::geteuid() != 0) GTEST_SKIP() << "only root can give a file away";
  ASSERT_EQ(::chown((folder_ / "actions.yaml").c_str(), 65534, 65534), 0);
  EXPECT_THAT(error(), HasSubstr("belongs to user 65534"));
}

}  // namespace
}  // namespace aispm::policy
