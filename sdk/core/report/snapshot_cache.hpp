// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <optional>
#include <string>
#include <string_view>
#include <utility>

#include "sdk/core/common/result.hpp"

namespace aispm::report {

// The last snapshot that the collector gave, kept in a file with its hash.
class SnapshotCache {
 public:
  explicit SnapshotCache(std::string path) : path_(std::move(path)) {}

  // Replaces the file atomically; only its owner may read it.
  Result<> store(std::string_view bytes) const;
  // Nothing when nothing was stored; kInvalid when the file is damaged or too large.
  Result<std::optional<std::string>> load() const;

 private:
  const std::string path_;
};

}  // namespace aispm::report
