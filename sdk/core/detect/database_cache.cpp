// SPDX-License-Identifier: Apache-2.0
#include "sdk/core/detect/database_cache.hpp"

#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <cstdlib>
#include <filesystem>
#include <memory>
#include <optional>

#include "sdk/core/common/crypto.hpp"
#include "sdk/core/common/file.hpp"

namespace aispm::detect {
namespace {

constexpr std::size_t kHashDigits = 64;
constexpr const char* kExtension = ".hsdb";

void add(Sha256Stream& hash, std::string_view text) {
  hash.update(std::to_string(text.size()) + ":");
  hash.update(text);
}

// Everything that the compiled form depends on.
std::string key_of(const std::vector<HsPattern>& patterns) {
  Sha256Stream hash;
  add(hash, "aispm database 1");
  add(hash, hs_version());
  hs_platform_info_t platform{};
  if (hs_populate_platform(&platform) == HS_SUCCESS)
    add(hash, std::to_string(platform.cpu_features) + "," + std::to_string(platform.tune));
  for (const HsPattern& pattern : patterns) {
    add(hash, pattern.text);
    add(hash, (pattern.caseless ? "i" : "") + std::to_string(pattern.rule));
  }
  return hash.finish_hex();
}

// The file begins with the hash of the rest.
std::optional<HsDatabase> read_database(const std::string& content) {
  if (content.size() <= kHashDigits) return std::nullopt;
  const std::string_view bytes = std::string_view(content).substr(kHashDigits);
  if (sha256_hex(bytes) != content.substr(0, kHashDigits)) return std::nullopt;
  hs_database_t* database = nullptr;
  if (hs_deserialize_database(bytes.data(), bytes.size(), &database) != HS_SUCCESS)
    return std::nullopt;
  return HsDatabase(database);
}

Result<> write_database(const hs_database_t* database, const std::string& path) {
  char* bytes = nullptr;
  std::size_t size = 0;
  if (hs_serialize_database(database, &bytes, &size) != HS_SUCCESS)
    return fail(Errc::kInternal, "Hyperscan: cannot serialise");
  const std::unique_ptr<char, decltype(&std::free)> owner(bytes, &std::free);
  const std::string_view content(bytes, size);
  return write_file_atomically(path, sha256_hex(content) + std::string(content), 0600);
}

// Keeps the newest files only: every change of a rule makes a new one.
void prune(const std::string& folder) {
  namespace fs = std::filesystem;
  std::vector<std::pair<fs::file_time_type, fs::path>> files;
  std::error_code error;
  for (const auto& entry : fs::directory_iterator(folder, error)) {
    if (entry.path().extension() != kExtension) continue;
    if (const auto time = entry.last_write_time(error); !error)
      files.emplace_back(time, entry.path());
  }
  if (files.size() <= DatabaseCache::kMaxFiles) return;
  std::sort(files.begin(), files.end());
  for (std::size_t i = 0; i + DatabaseCache::kMaxFiles < files.size(); ++i)
    fs::remove(files[i].second, error);
}

}  // namespace

Result<DatabaseCache> DatabaseCache::open(std::string folder) {
  AISPM_CHECK(make_directories(folder, 0700));
  struct stat info {};
  if (::lstat(folder.c_str(), &info) != 0) return fail_errno("stat " + folder);
  const bool ours = info.st_uid == ::geteuid() && S_ISDIR(info.st_mode);
  if (!ours || (info.st_mode & (S_IWGRP | S_IWOTH)) != 0)
    return fail(Errc::kDenied,
                folder + ": must be a folder of this user that nobody else may write to");
  DatabaseCache cache;
  cache.folder_ = std::move(folder);
  return cache;
}

Result<HsDatabase> DatabaseCache::get(const std::vector<Rule>& rules,
                                      const std::vector<HsPattern>& patterns) {
  if (folder_.empty()) {
    ++counts_.compiled;
    return compile_block(rules, patterns);
  }
  const std::string path = folder_ + "/" + key_of(patterns) + kExtension;
  if (const auto content = read_file(path, kMaxFileBytes)) {
    if (auto database = read_database(*content)) {
      ++counts_.loaded;
      return std::move(*database);
    }
    ++counts_.damaged;
  }
  ++counts_.compiled;
  AISPM_TRY(HsDatabase database, compile_block(rules, patterns));
  if (!write_database(database.get(), path)) ++counts_.unwritten;
  prune(folder_);
  return database;
}

}  // namespace aispm::detect
