// SPDX-License-Identifier: Apache-2.0
#include "sdk/core/detect/database_cache.hpp"

#include <gtest/gtest.h>
#include <sys/stat.h>

#include <cstdlib>
#include <filesystem>
#include <fstream>

#include "tests/unit/detect/packs.hpp"

namespace aispm::detect {
namespace {

namespace fs = std::filesystem;

class DatabaseCacheTest : public testing::Test {
 protected:
  DatabaseCacheTest() {
    std::string name = (fs::temp_directory_path() / "aispm-cache-XXXXXX").string();
    folder_ = ::mkdtemp(name.data());
  }
  ~DatabaseCacheTest() override { fs::remove_all(folder_); }

  // Compiles one rule with a cache of its own over the folder; what it found in `text`.
  std::size_t scan_with(const std::string& pattern, const std::string& text,
                        DatabaseCache::Counts& counts) {
    auto cache = DatabaseCache::open(folder_);
    EXPECT_TRUE(cache) << cache.error().message;
    auto rules = parse_rules("pack: t\ncategory: secret\nrules:\n" + rule_line("secret.a", pattern),
                             "t.yaml");
    auto engine = Engine::compile(std::move(*rules), &*cache);
    EXPECT_TRUE(engine);
    counts = cache->counts();
    return scan(**engine, text).size();
  }
  std::string folder_;
};

TEST_F(DatabaseCacheTest, CompilesOnceAndLoadsTheNextTime) {
  DatabaseCache::Counts counts;
  EXPECT_EQ(scan_with("key-[0-9]+", "a key-12", counts), 1U);
  EXPECT_EQ(counts.loaded, 0U);
  EXPECT_GT(counts.compiled, 0U);
  const auto made = counts.compiled;
  EXPECT_EQ(scan_with("key-[0-9]+", "a key-12", counts), 1U);
  EXPECT_EQ(counts.loaded, made);
  EXPECT_EQ(counts.compiled, 0U);
}

TEST_F(DatabaseCacheTest, CompilesAnewWhenAPatternChanges) {
  DatabaseCache::Counts counts;
  EXPECT_EQ(scan_with("key-[0-9]+", "a kez-12", counts), 0U);
  EXPECT_EQ(scan_with("kez-[0-9]+", "a kez-12", counts), 1U);
  EXPECT_EQ(counts.loaded, 0U);
}

TEST_F(DatabaseCacheTest, NoticesADamagedFileAndMakesItAnew) {
  DatabaseCache::Counts counts;
  scan_with("key-[0-9]+", "", counts);
  const auto made = counts.compiled;
  std::size_t kind = 0;
  for (const auto& entry : fs::directory_iterator(folder_)) {
    std::fstream file(entry.path(), std::ios::in | std::ios::out | std::ios::binary);
    file.seekp(kind++ == 0 ? 200 : 10);  // within the database, within its hash
    file.put('#');
  }
  EXPECT_EQ(scan_with("key-[0-9]+", "a key-12", counts), 1U);
  EXPECT_EQ(counts.damaged, made);
  EXPECT_EQ(scan_with("key-[0-9]+", "a key-12", counts), 1U);
  EXPECT_EQ(counts.loaded, made);
}

TEST_F(DatabaseCacheTest, NoticesACutFile) {
  DatabaseCache::Counts counts;
  scan_with("key-[0-9]+", "", counts);
  for (const auto& entry : fs::directory_iterator(folder_)) fs::resize_file(entry.path(), 70);
  EXPECT_EQ(scan_with("key-[0-9]+", "a key-12", counts), 1U);
  EXPECT_GT(counts.damaged, 0U);
}

TEST_F(DatabaseCacheTest, RefusesAFolderThatOthersMayWriteTo) {
  ASSERT_EQ(::chmod(folder_.c_str(), 0777), 0);
  const auto cache = DatabaseCache::open(folder_);
  ASSERT_FALSE(cache);
  EXPECT_EQ(cache.error().code, Errc::kDenied);
}

TEST_F(DatabaseCacheTest, KeepsTheNewestFilesOnly) {
  for (std::size_t i = 0; i < DatabaseCache::kMaxFiles + 20; ++i)
    std::ofstream(folder_ + "/" + std::to_string(i) + ".hsdb") << "old";
  DatabaseCache::Counts counts;
  scan_with("key-[0-9]+", "", counts);
  std::size_t files = 0;
  for (const auto& entry : fs::directory_iterator(folder_)) {
    files += 1;
    (void)entry;
  }
  EXPECT_EQ(files, DatabaseCache::kMaxFiles);
}

}  // namespace
}  // namespace aispm::detect
