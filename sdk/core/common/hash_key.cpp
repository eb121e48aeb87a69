// SPDX-License-Identifier: Apache-2.0
#include "sdk/core/common/hash_key.hpp"

#include <sys/random.h>

#include <utility>

#include "sdk/core/common/file.hpp"

namespace aispm {
namespace {

constexpr std::size_t kKeyBytes = 32;
constexpr unsigned kFolderMode = 0700;
constexpr unsigned kFileMode = 0600;

}  // namespace

Result<Secret> load_hash_key(const std::string& folder) {
  const std::string path = folder + "/secret-hash.key";
  auto kept = read_file(path, kKeyBytes);
  if (kept && kept->size() == kKeyBytes) return Secret(std::move(*kept));
  // Another key would silently make every hash and link that was given out worthless.
  if (kept)
    return fail(Errc::kInvalid, path + ": holds no key of 32 bytes; remove it to make a new one");
  if (kept.error().code != Errc::kNotFound) return fail(kept.error());
  std::string key(kKeyBytes, '\0');
  if (::getrandom(key.data(), key.size(), 0) != static_cast<ssize_t>(key.size()))
    return fail_errno("getrandom");
  AISPM_CHECK(make_directories(folder, kFolderMode));
  AISPM_CHECK(write_file_atomically(path, key, kFileMode));
  return Secret(std::move(key));
}

}  // namespace aispm
