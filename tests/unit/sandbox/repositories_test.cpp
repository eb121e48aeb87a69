// SPDX-License-Identifier: Apache-2.0
#include "sandbox/apply/repositories.hpp"

#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <stdlib.h>

#include <filesystem>
#include <fstream>

namespace aispm::sandbox {
namespace {

namespace fs = std::filesystem;
using testing::ElementsAre;
using testing::HasSubstr;
using testing::IsEmpty;

constexpr timespec kLongAgo{0, 0};
constexpr timespec kNever{4'000'000'000, 0};

class Repositories : public testing::Test {
 protected:
  Repositories() {
    std::string pattern = testing::TempDir() + "repositories-XXXXXX";
    root_ = ::mkdtemp(pattern.data());
  }
  ~Repositories() override { fs::remove_all(root_); }
  void make(const std::string& path) {
    for (const char* part : {"objects", "refs"}) fs::create_directories(root_ / path / part);
    std::ofstream(root_ / path / "HEAD") << "ref: refs/heads/main\n";
    std::ofstream(root_ / path / "config") << "[core]\n";
  }
  ChangedRepositories find(const timespec& since) const {
    return find_changed_repositories(root_.native(), since);
  }

  fs::path root_;
};

TEST_F(Repositories, TheWorkspacesOwnIsNotToldBecauseItIsProtected) {
  make(".git");
  fs::create_directories(root_ / "src/refs");
  EXPECT_THAT(find(kLongAgo).paths, IsEmpty());
  EXPECT_EQ(to_text(find(kLongAgo)), "");
}

TEST_F(Repositories, OthersAreToldByWhateverNameTheyHave) {
  make(".git");
  make("sub/.git");
  EXPECT_THAT(find(kLongAgo).paths, ElementsAre("sub/.git"));
  fs::rename(root_ / "sub/.git", root_ / "sub/photos");
  EXPECT_THAT(find(kLongAgo).paths, ElementsAre("sub/photos"));
  EXPECT_THAT(to_text(find(kLongAgo)), HasSubstr("sub/photos"));
}

TEST_F(Repositories, AFileThatLeadsToOneIsTold) {
  fs::create_directories(root_ / "sub");
  std::ofstream(root_ / "sub/.git") << "gitdir: ../x\n";
  EXPECT_THAT(find(kLongAgo).paths, ElementsAre("sub/.git"));
}

TEST_F(Repositories, AWorkspaceThatBecameABareOneIsTold) {
  make(".");
  EXPECT_THAT(find(kLongAgo).paths, ElementsAre("."));
}

TEST_F(Repositories, WhatWasThereBeforeIsNotTold) {
  make("sub/.git");
  make("vendor/bare");
  EXPECT_THAT(find(kNever).paths, IsEmpty());
}

TEST_F(Repositories, NamesCannotWriteToTheTerminal) {
  make("\x1b[2Jx/.git");
  EXPECT_THAT(find(kLongAgo).paths, ElementsAre("?[2Jx/.git"));
}

TEST_F(Repositories, ManyAreCounted) {
  for (int i = 0; i < 7; ++i) make("r" + std::to_string(i) + "/.git");
  EXPECT_EQ(find(kLongAgo).paths.size(), 5U);
  EXPECT_EQ(find(kLongAgo).more, 2U);
}

TEST_F(Repositories, LinksAreNotFollowed) {
  fs::create_symlink("/", root_ / "all");
  const auto found = find(kLongAgo);
  EXPECT_THAT(found.paths, IsEmpty());
  EXPECT_TRUE(found.is_complete);
}

}  // namespace
}  // namespace aispm::sandbox
