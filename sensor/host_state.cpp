// SPDX-License-Identifier: Apache-2.0
#include "sensor/host_state.hpp"

#include <sys/random.h>
#include <unistd.h>

#include <utility>

#include "sdk/core/common/file.hpp"

namespace aispm::sensor {
namespace {

constexpr std::size_t kKeyBytes = 32;
constexpr unsigned kFolderMode = 0700;
constexpr unsigned kFileMode = 0600;

}  // namespace

Result<Secret> HostState::hash_key() const {
  const std::string path = folder_ + "/secret-hash.key";
  if (auto key = read_file(path, kKeyBytes); key && key->size() == kKeyBytes)
    return Secret(std::move(*key));
  std::string key(kKeyBytes, '\0');
  if (::getrandom(key.data(), key.size(), 0) != static_cast<ssize_t>(key.size()))
    return fail_errno("getrandom");
  AISPM_CHECK(make_directories(folder_, kFolderMode));
  AISPM_CHECK(write_file_atomically(path, key, kFileMode));
  return Secret(std::move(key));
}

Result<> HostState::restore(Baselines& baselines) const {
  const std::string path = folder_ + "/baselines.json";
  if (::access(path.c_str(), F_OK) != 0) return {};
  AISPM_TRY(const std::string text, read_file(path, Baselines::kMaxSavedBytes));
  return baselines.restore(text);
}

Result<> HostState::save(const Baselines& baselines) const {
  if (!baselines.is_dirty()) return {};
  AISPM_CHECK(make_directories(folder_, kFolderMode));
  return write_file_atomically(folder_ + "/baselines.json", baselines.save(), kFileMode);
}

}  // namespace aispm::sensor
