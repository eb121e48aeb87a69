// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <map>
#include <memory>
#include <optional>
#include <string>
#include <utility>

#include "sdk/core/common/result.hpp"
#include "sensor/capture/probe_plan.hpp"
#include "sensor/fingerprint/pack.hpp"

namespace aispm::sensor {

// The fingerprints in use: the built-in ones, or those of a folder, read again when one of its
// files changes. Not thread-safe.
class FingerprintSource {
 public:
  // `folder` empty: the built-in ones. Fails on files that cannot be read.
  static Result<FingerprintSource> open(std::string folder);

  std::shared_ptr<const Planner> planner() const { return planner_; }
  const std::string& version() const { return version_; }
  // A new planner when files changed since the last look. Files that cannot be read leave the old
  // one in place; why() says what is wrong with them, empty when nothing is.
  std::shared_ptr<const Planner> look();
  const std::string& why() const { return why_; }

 private:
  using Stamp = std::map<std::string, std::pair<std::int64_t, std::uint64_t>>;  // mtime, bytes
  Stamp stamp_now() const;
  void use(fingerprint::Packs packs);

  std::string folder_;
  Stamp stamp_;
  std::string version_;
  std::string why_;
  std::shared_ptr<const Planner> planner_;
};

}  // namespace aispm::sensor
