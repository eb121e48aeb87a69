// SPDX-License-Identifier: Apache-2.0
#include "sdk/core/detect/database_cache.hpp"

#include <gtest/gtest.h>
#include <sys/stat.h>

#include <cstdlib>
#include <filesystem>
#include <fstream>

#include "sdk/core/detect/automata.hpp"
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
    file.seekp(kind++ == 0 ? 100 : 10);  // within what was compiled, within its hash
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
  for (const auto& entry : fs::directory_iterator(folder_)) fs::resize_file(entry.path(), 40);
  EXPECT_EQ(scan_with("key-[0-9]+", "a key-12", counts), 1U);
  EXPECT_GT(counts.damaged, 0U);
}

TEST_F(DatabaseCacheTest, RefusesAFolderThatOthersMayWriteTo) {
  ASSERT_EQ(::chmod(folder_.c_str(), 0777), 0);
  const auto cache = DatabaseCache::open(folder_);
  ASSERT_FALSE(cache);
  EXPECT_EQ(cache.error().code, Errc::kDenied);
}

TEST_F(DatabaseCacheTest, RefusesAFileThatOthersMayWriteTo) {
  DatabaseCache::Counts counts;
  scan_with("key-[0-9]+", "", counts);
  const auto made = counts.compiled;
  for (const auto& entry : fs::directory_iterator(folder_))
    ASSERT_EQ(::chmod(entry.path().c_str(), 0620), 0);
  EXPECT_EQ(scan_with("key-[0-9]+", "a key-12", counts), 1U);
  EXPECT_EQ(counts.loaded, 0U);
  EXPECT_EQ(counts.damaged, made);
  EXPECT_EQ(scan_with("key-[0-9]+", "a key-12", counts), 1U);  // they were replaced
  EXPECT_EQ(counts.loaded, made);
}

TEST_F(DatabaseCacheTest, FollowsNoLinkInItsFolder) {
  DatabaseCache::Counts counts;
  scan_with("key-[0-9]+", "", counts);
  const std::string elsewhere = folder_ + "/elsewhere";
  for (const auto& entry : fs::directory_iterator(folder_)) {
    const fs::path path = entry.path();
    fs::rename(path, elsewhere);
    fs::create_symlink(elsewhere, path);
    break;
  }
  EXPECT_EQ(scan_with("key-[0-9]+", "a key-12", counts), 1U);
  EXPECT_EQ(counts.damaged, 1U);
}

// Whoever can write a hash, too: what the bytes say must still lie inside their tables.
TEST(DfaBytes, AreReadBackOrRefused) {
  const auto node = parse_pattern("key-[0-9]{2,4}", false);
  const auto dfa = Dfa::compile({*node});
  ASSERT_TRUE(dfa);
  std::string bytes;
  dfa->append_to(bytes);
  std::string_view rest = bytes;
  const auto read = Dfa::take_from(rest);
  ASSERT_TRUE(read);
  EXPECT_TRUE(rest.empty());
  EXPECT_EQ(read->state_count(), dfa->state_count());
  EXPECT_EQ(read->first_bytes(), dfa->first_bytes());
  Dfa::State state = Dfa::kStart;
  for (const char c : std::string_view("key-12"))
    state = read->next(state, static_cast<std::uint8_t>(c));
  EXPECT_TRUE(read->accepts(state));
  for (std::size_t size = 0; size < bytes.size(); ++size) {
    rest = std::string_view(bytes).substr(0, size);
    EXPECT_FALSE(Dfa::take_from(rest)) << size;
  }
  for (std::size_t at = 0; at < bytes.size(); ++at) {
    std::string wrong = bytes;
    wrong[at] = '\xff';
    rest = wrong;
    const auto other = Dfa::take_from(rest);
    if (!other) continue;
    for (unsigned byte = 0; byte < 256; ++byte)
      EXPECT_LT(other->next(Dfa::kStart, static_cast<std::uint8_t>(byte)), other->state_count());
  }
}

TEST_F(DatabaseCacheTest, EnginesShareTheAutomataOfRulesThatDidNotChange) {
  auto cache = DatabaseCache::open(folder_);
  ASSERT_TRUE(cache);
  const auto compile = [&](const std::string& lines) {
    auto rules = parse_rules("pack: t\ncategory: secret\nrules:\n" + lines, "t.yaml");
    auto engine = Engine::compile(std::move(*rules), &*cache);
    EXPECT_TRUE(engine);
    return *engine;
  };
  const auto first = compile(rule_line("secret.a", "key-[0-9]+"));
  const auto second =
      compile(rule_line("secret.b", "kez-[0-9]+") + rule_line("secret.a", "key-[0-9]+"));
  EXPECT_EQ(first->automata().of(0).dfa, second->automata().of(1).dfa);
}

TEST_F(DatabaseCacheTest, ARuleSetThatLivesIsNotEvenLoaded) {
  DatabaseCache cache;  // keeps nothing on disk
  const auto compile = [&] {
    auto rules = parse_rules(
        "pack: t\ncategory: secret\nrules:\n" + rule_line("secret.a", "key-[0-9]+"), "t.yaml");
    return *Engine::compile(std::move(*rules), &cache);
  };
  const auto first = compile();
  const auto made = cache.counts().compiled;
  const auto second = compile();
  EXPECT_EQ(cache.counts().compiled, made);
  EXPECT_EQ(scan(*second, "a key-12").size(), 1U);
}

TEST_F(DatabaseCacheTest, AddedRulesLeaveTheSharedDatabasesCompiled) {
  auto cache = DatabaseCache::open(folder_);
  ASSERT_TRUE(cache);
  const auto compile = [&](const std::string& own) {
    auto rules = parse_rules("pack: t\ncategory: prompt_injection\nrules:\n" +
                                 rule_line("injection.a", "ignore the instructions"),
                             "t.yaml");
    rules->shared_rules = rules->rules.size();
    if (!own.empty()) {
      EXPECT_TRUE(parse_pack(own, "own.yaml", *rules));
    }
    auto engine = Engine::compile(std::move(*rules), &*cache);
    EXPECT_TRUE(engine);
    return *engine;
  };
  (void)compile("");  // not kept: so the next finds its files
  const auto before = cache->counts();
  const auto engine = compile("pack: own\ncategory: prompt_injection\nrules:\n" +
                              rule_line("injection.b", "forget the recipe"));
  EXPECT_GT(cache->counts().loaded, before.loaded);
  // The own databases to scan (wording, and words turned round), the one to screen (unless it is
  // the same) and the automaton.
  EXPECT_LE(cache->counts().compiled - before.compiled, 4U);
  EXPECT_EQ(scan(*engine, "ignore the instructions, forget the recipe").size(), 2U);
  EXPECT_EQ(scan(*engine, "sbetrg gur erpvcr", Surface::kPrompt).size(), 1U);  // ROT13
}

TEST_F(DatabaseCacheTest, KeepsTheNewestFilesOnly) {
  for (std::size_t i = 0; i < CacheFiles::kMaxFiles + 20; ++i)
    std::ofstream(folder_ + "/" + std::to_string(i) + ".compiled") << "old";
  DatabaseCache::Counts counts;
  scan_with("key-[0-9]+", "", counts);
  std::size_t files = 0;
  for (const auto& entry : fs::directory_iterator(folder_)) {
    files += 1;
    (void)entry;
  }
  EXPECT_EQ(files, CacheFiles::kMaxFiles);
}

}  // namespace
}  // namespace aispm::detect
