// SPDX-License-Identifier: Apache-2.0
#include "sensor/capture/fingerprint_source.hpp"

#include <filesystem>
#include <system_error>

#include "sdk/core/common/log.hpp"
#include "sensor/capture/fingerprint_planner.hpp"

namespace aispm::sensor {

Result<FingerprintSource> FingerprintSource::open(std::string folder) {
  FingerprintSource source;
  source.folder_ = std::move(folder);
  source.stamp_ = source.stamp_now();
  AISPM_TRY(auto packs, source.folder_.empty() ? fingerprint::Packs::builtin()
                                               : fingerprint::Packs::load(source.folder_));
  source.use(std::move(packs));
  return source;
}

void FingerprintSource::use(fingerprint::Packs packs) {
  version_ = packs.version;
  planner_ = make_fingerprint_planner(std::move(packs));
}

FingerprintSource::Stamp FingerprintSource::stamp_now() const {
  Stamp stamp;
  std::error_code error;
  if (folder_.empty()) return stamp;
  for (const auto& entry : std::filesystem::directory_iterator(folder_, error)) {
    if (stamp.size() >= fingerprint::Packs::kMaxFiles) break;
    if (entry.path().extension() != ".yaml") continue;
    const auto time = entry.last_write_time(error).time_since_epoch().count();
    stamp[entry.path().native()] = {time, entry.file_size(error)};
  }
  return stamp;
}

std::shared_ptr<const Planner> FingerprintSource::look() {
  if (folder_.empty()) return nullptr;
  Stamp now = stamp_now();
  if (now == stamp_) return nullptr;
  stamp_ = std::move(now);
  auto packs = fingerprint::Packs::load(folder_);
  if (!packs) {
    why_ = "fingerprints: " + packs.error().message + "; those read before stay in use";
    log::error("fingerprints.refused", {{"why", packs.error().message}});
    return nullptr;
  }
  why_.clear();
  use(std::move(*packs));
  log::info("fingerprints.loaded", {{"folder", folder_}, {"version", version_}});
  return planner_;
}

}  // namespace aispm::sensor
