// SPDX-License-Identifier: Apache-2.0
#include "sdk/core/common/file.hpp"

#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <sys/stat.h>

#include <filesystem>

#include "tests/support/temp_folder.hpp"

namespace aispm {
namespace {

using ::testing::HasSubstr;
using testing::TempFolder;

unsigned mode_of(const std::string& path) {
  struct stat info {};
  return ::stat(path.c_str(), &info) == 0 ? info.st_mode & 07777U : 0;
}

TEST(File, WritesAndReadsBack) {
  const TempFolder folder;
  const std::string content("with\0zero", 9);
  ASSERT_TRUE(write_file_atomically(folder / "file", content, 0600));
  EXPECT_EQ(read_file(folder / "file", 100).value(), content);
  EXPECT_EQ(mode_of(folder / "file"), 0600U);
}

TEST(File, ReplacesAndLeavesNoTemporaryBehind) {
  const TempFolder folder;
  ASSERT_TRUE(write_file_atomically(folder / "file", "old", 0600));
  ASSERT_TRUE(write_file_atomically(folder / "file", "new", 0600));
  EXPECT_EQ(read_file(folder / "file", 100).value(), "new");
  const std::filesystem::directory_iterator files(folder.path());
  EXPECT_EQ(std::distance(begin(files), end(files)), 1);
}

TEST(File, AWriteThatFailsLeavesTheOldContent) {
  const TempFolder folder;
  ASSERT_TRUE(make_directories(folder / "target", 0700));
  ASSERT_TRUE(write_file_atomically(folder / "target/inside", "old", 0600));
  EXPECT_FALSE(write_file_atomically(folder / "target", "a file over a folder", 0600));
  EXPECT_EQ(read_file(folder / "target/inside", 100).value(), "old");
  EXPECT_FALSE(std::filesystem::exists(folder / ("target.new." + std::to_string(::getpid()))));
}

TEST(File, RefusesMoreThanTheLimit) {
  const TempFolder folder;
  ASSERT_TRUE(write_file_atomically(folder / "file", "12345", 0600));
  EXPECT_TRUE(read_file(folder / "file", 5));
  EXPECT_EQ(read_file(folder / "file", 4).error().code, Errc::kTooLarge);
}

TEST(File, AMissingFileIsNamed) {
  const TempFolder folder;
  const auto result = read_file(folder / "missing", 5);
  ASSERT_FALSE(result);
  EXPECT_EQ(result.error().code, Errc::kNotFound);
  EXPECT_THAT(result.error().message, HasSubstr(folder / "missing"));
}

TEST(File, MakesFoldersWithTheirModeAndLeavesOthers) {
  const TempFolder folder;
  ASSERT_TRUE(make_directories(folder / "a/b/c", 0700));
  EXPECT_EQ(mode_of(folder / "a/b/c"), 0700U);
  ASSERT_EQ(::chmod((folder / "a").c_str(), 0755), 0);
  ASSERT_TRUE(make_directories(folder / "a/b/c", 0700));
  EXPECT_EQ(mode_of(folder / "a"), 0755U);
}

TEST(File, AFileInTheWayOfAFolderIsAnError) {
  const TempFolder folder;
  ASSERT_TRUE(write_file_atomically(folder / "file", "", 0600));
  EXPECT_FALSE(make_directories(folder / "file", 0700));
  EXPECT_FALSE(make_directories(folder / "file/below", 0700));
}

}  // namespace
}  // namespace aispm
