// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <cstddef>
#include <cstdint>
#include <optional>
#include <string>
#include <string_view>

#include "sdk/core/common/result.hpp"

namespace aispm::detect {

// Files that can be made again, in a folder of this user. Each begins with the hash of the rest, so
// that a damaged one is noticed. What lies in it is run: so the folder and every file must belong
// to this user and not be writable by others. read() and write() may run on several threads at the
// same time, for different names.
class CacheFiles {
 public:
  static constexpr std::size_t kMaxFileBytes = 256U << 20;
  static constexpr std::size_t kMaxTotalBytes = 1024U << 20;
  static constexpr std::size_t kMaxFiles = 256;

  // Makes the folder when there is none. kDenied: others may write to it.
  static Result<CacheFiles> open(std::string folder);

  // What write() was given under this name; nothing when there is no such file. kInvalid: the file
  // is not what was written; kDenied: others may write to it.
  Result<std::optional<std::string>> read(const std::string& name) const;
  Result<> write(const std::string& name, std::string_view content) const;

  // Removes the files that were not read or written for the longest time, until both limits hold.
  void prune() const;

 private:
  explicit CacheFiles(std::string folder) : folder_(std::move(folder)) {}
  std::string folder_;
};

}  // namespace aispm::detect
