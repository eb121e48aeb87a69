// SPDX-License-Identifier: Apache-2.0
#include "sensor/host_state.hpp"

#include <unistd.h>

#include <utility>

#include "sdk/core/common/file.hpp"
#include "sdk/core/common/hash_key.hpp"

namespace aispm::sensor {
namespace {

constexpr unsigned kFolderMode = 0700;
constexpr unsigned kFileMode = 0600;

}  // namespace

Result<Secret> HostState::hash_key() const { return load_hash_key(folder_); }

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
