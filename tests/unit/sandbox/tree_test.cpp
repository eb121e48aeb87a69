// SPDX-License-Identifier: Apache-2.0
#include "sandbox/requirements/tree.hpp"

#include <fcntl.h>
#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cstdlib>
#include <filesystem>
#include <fstream>

#include "sandbox/requirements/cache.hpp"
#include "sdk/core/common/file.hpp"

namespace aispm::sandbox {
namespace {

using testing::ElementsAre;
using testing::HasSubstr;
namespace fs = std::filesystem;

class Tree : public testing::Test {
 protected:
  void SetUp() override {
    std::string name = (fs::temp_directory_path() / "aispm-tree-XXXXXX").string();
    ASSERT_NE(::mkdtemp(name.data()), nullptr);
    base_ = name;
    top_ = base_ / "packages";
    fs::create_directories(top_ / "a");
    write("a/__init__.py", "x = 1\n");
    write("b.py", "y = 2\n");
  }
  void TearDown() override {
    const UniqueFd parent(::open(base_.parent_path().c_str(), O_RDONLY | O_DIRECTORY | O_CLOEXEC));
    EXPECT_TRUE(remove_tree(parent.get(), base_.filename().string()));
    EXPECT_FALSE(fs::exists(base_));
  }
  void write(const std::string& path, const std::string& text) {
    std::ofstream(top_ / path) << text;
  }
  UniqueFd open() const {
    return UniqueFd(::open(top_.c_str(), O_RDONLY | O_DIRECTORY | O_CLOEXEC));
  }
  fs::path base_;
  fs::path top_;
};

TEST_F(Tree, IsSealedReadOnlyWithAHashOfEachFile) {
  const UniqueFd folder = open();
  const auto sealed = seal_tree(folder.get(), true, {});
  ASSERT_TRUE(sealed) << sealed.error().message;
  EXPECT_THAT(sealed->manifest, HasSubstr(" 6 a/__init__.py\n"));
  struct stat status {};
  ASSERT_EQ(::stat((top_ / "b.py").c_str(), &status), 0);
  EXPECT_EQ(status.st_mode & 07777U, 0444U);
  ASSERT_EQ(::stat((top_ / "a").c_str(), &status), 0);
  EXPECT_EQ(status.st_mode & 07777U, 0555U);
  EXPECT_TRUE(verify_tree(folder.get(), sealed->manifest, {}));
}

TEST_F(Tree, NoticesChangedAddedAndMissingFiles) {
  const UniqueFd folder = open();
  const auto sealed = seal_tree(folder.get(), true, {});
  ASSERT_TRUE(sealed);
  fs::permissions(top_ / "b.py", fs::perms::owner_all);
  write("b.py", "y = 3\n");
  EXPECT_FALSE(verify_tree(folder.get(), sealed->manifest, {}));
  write("b.py", "y = 2\n");
  EXPECT_TRUE(verify_tree(folder.get(), sealed->manifest, {}));
  write("c.py", "");
  EXPECT_FALSE(verify_tree(folder.get(), sealed->manifest, {}));
  fs::remove(top_ / "c.py");
  fs::remove(top_ / "b.py");
  EXPECT_FALSE(verify_tree(folder.get(), sealed->manifest, {}));
}

TEST_F(Tree, LeavesOutWhatWouldRunUnasked) {
  write("evil.pth", "import os\n");
  write("sitecustomize.py", "");
  write("usercustomize.cpython-311-x86_64-linux-gnu.so", "");
  fs::create_directory(top_ / "sitecustomize");
  const auto sealed = seal_tree(open().get(), true, {});
  ASSERT_TRUE(sealed) << sealed.error().message;
  EXPECT_THAT(sealed->left_out, ElementsAre("evil.pth", "sitecustomize", "sitecustomize.py",
                                            "usercustomize.cpython-311-x86_64-linux-gnu.so"));
  EXPECT_FALSE(fs::exists(top_ / "evil.pth"));
}

TEST_F(Tree, RefusesLinksSecondNamesDevicesAndControlCharacters) {
  const auto refused = [&] {
    const auto sealed = seal_tree(open().get(), true, {});
    return sealed ? std::string("accepted") : sealed.error().message;
  };
  fs::create_symlink("/etc/passwd", top_ / "a/link");
  EXPECT_THAT(refused(), HasSubstr("'a/link', a link"));
  fs::remove(top_ / "a/link");
  fs::create_hard_link(top_ / "b.py", top_ / "c.py");
  EXPECT_THAT(refused(), HasSubstr("second name"));
  fs::remove(top_ / "c.py");
  ASSERT_EQ(::mkfifo((top_ / "pipe").c_str(), 0600), 0);
  EXPECT_THAT(refused(), HasSubstr("neither a file nor a folder"));
  fs::remove(top_ / "pipe");
  write("a\nb", "");
  EXPECT_THAT(refused(), HasSubstr("control characters"));
  fs::remove(top_ / "a\nb");
  EXPECT_EQ(refused(), "accepted");
}

TEST_F(Tree, HasLimits) {
  EXPECT_FALSE(seal_tree(open().get(), true, {.bytes = 11, .files = 10}));
  EXPECT_FALSE(seal_tree(open().get(), true, {.bytes = 100, .files = 2}));
  EXPECT_TRUE(seal_tree(open().get(), true, {.bytes = 12, .files = 3}));
}

class CacheFolder : public Tree {
 protected:
  Result<HeldSet> put(Cache& cache, const std::string& key, const std::string& text) {
    AISPM_TRY(const auto staging, cache.make_staging());
    const fs::path packages = fs::path(staging->path()) / "packages";
    fs::create_directory(packages);
    std::ofstream(packages / "m.py") << text;
    const UniqueFd folder(::open(packages.c_str(), O_RDONLY | O_DIRECTORY | O_CLOEXEC));
    AISPM_TRY(const SealedTree sealed, seal_tree(folder.get(), true, {}));
    return cache.put(key, false, *staging, "packages", "cpython", sealed,
                     {{"m", "1", "sha256:0", ""}});
  }
  std::string path() const { return (base_ / "cache").string(); }
};

TEST_F(CacheFolder, FindsWhatWasPutUntilItIsDamaged) {
  auto cache = Cache::open(path());
  ASSERT_TRUE(cache) << cache.error().message;
  EXPECT_FALSE(cache->find("k1", false));
  const auto held = put(*cache, "k1", "x");
  ASSERT_TRUE(held) << held.error().message;
  const auto found = cache->find("k1", false);
  ASSERT_TRUE(found);
  EXPECT_EQ(found->set.id, held->set.id);
  EXPECT_EQ(found->set.packages.size(), 1U);
  EXPECT_TRUE(fs::exists(found->set.folder + "/m.py"));

  // Another folder in its place.
  const fs::path content = held->set.folder;
  fs::rename(content, content.parent_path() / "old");
  fs::create_directory(content);
  EXPECT_FALSE(cache->find("k1", false));
  EXPECT_FALSE(fs::exists(path() + "/locks/k1"));
}

TEST_F(CacheFolder, SharesOneTreeBetweenFilesThatComeToTheSame) {
  auto cache = Cache::open(path());
  ASSERT_TRUE(cache);
  const auto first = put(*cache, "k1", "x");
  const auto second = put(*cache, "k2", "x");
  const auto third = put(*cache, "k3", "y");
  ASSERT_TRUE(first && second && third);
  EXPECT_EQ(first->set.id, second->set.id);
  EXPECT_NE(first->set.id, third->set.id);
  EXPECT_EQ(cache->list()->size(), 2U);
}

TEST_F(CacheFolder, LooksAtTheFilesAgainAfterADayAndByCheck) {
  auto cache = Cache::open(path());
  ASSERT_TRUE(cache);
  std::string file;
  {
    const auto held = put(*cache, "k1", "x");
    ASSERT_TRUE(held);
    file = held->set.folder + "/m.py";
  }
  fs::permissions(file, fs::perms::owner_all);
  std::ofstream(file) << "z";
  EXPECT_TRUE(cache->find("k1", false));  // nothing is read within a day
  const timespec old[2] = {{0, UTIME_OMIT}, {1, 0}};
  ASSERT_EQ(::utimensat(AT_FDCWD, (path() + "/locks/k1").c_str(), old, 0), 0);
  EXPECT_FALSE(cache->find("k1", false));
  const auto damaged = cache->check();
  ASSERT_TRUE(damaged) << damaged.error().message;
  EXPECT_EQ(damaged->size(), 1U);
  const auto again = put(*cache, "k1", "x");
  EXPECT_TRUE(again) << again.error().message;
}

TEST_F(CacheFolder, PrunesWhatIsNotInUse) {
  auto cache = Cache::open(path());
  ASSERT_TRUE(cache);
  auto used = put(*cache, "k1", "x");
  ASSERT_TRUE(used);
  ASSERT_TRUE(put(*cache, "k2", "y"));
  const auto removed = cache->prune(0);
  ASSERT_TRUE(removed) << removed.error().message;
  ASSERT_EQ(removed->size(), 1U);
  EXPECT_NE(removed->front().tree, used->set.id);
  EXPECT_TRUE(cache->find("k1", false));
  EXPECT_FALSE(cache->find("k2", false));
}

TEST_F(CacheFolder, IsNotSharedWithThoseWhoCouldWriteIt) {
  ASSERT_TRUE(Cache::open(path()));
  fs::permissions(path(), fs::perms::all);
  EXPECT_FALSE(Cache::open(path()));
}

TEST_F(CacheFolder, RemovesWhatADeadBuildLeft) {
  auto cache = Cache::open(path());
  ASSERT_TRUE(cache);
  fs::create_directories(path() + "/building/dead/x");
  const auto staging = cache->make_staging();
  ASSERT_TRUE(staging);
  EXPECT_FALSE(fs::exists(path() + "/building/dead"));
  const auto other = cache->make_staging();
  EXPECT_TRUE(fs::exists((*staging)->path()));  // alive: left alone
}

TEST_F(CacheFolder, ReadsNoLinkThatABuildLeft) {
  auto cache = Cache::open(path());
  ASSERT_TRUE(cache);
  const auto staging = cache->make_staging();
  ASSERT_TRUE(staging);
  fs::create_symlink("/etc/passwd", (*staging)->path() + "/report.json");
  EXPECT_FALSE((*staging)->read("report.json", 1000));
}

}  // namespace
}  // namespace aispm::sandbox
