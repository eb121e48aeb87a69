// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <string>
#include <vector>

#include "sdk/core/common/result.hpp"

namespace aispm::policy {

struct FolderFile {
  std::string path;  // below the folder, parts joined by `/`
  std::string content;
};

struct FolderLimits {
  std::size_t files = 512;
  std::size_t file_bytes = 4U << 20;
  std::size_t total_bytes = 64U << 20;
  unsigned depth = 4;
};

// Reads all files of a folder, sorted by path. Nothing that somebody else could have put there or
// may change: kDenied when the folder, a folder below it or a file is a symbolic link, no regular
// file, owned by another than this user or root, or writable by group or others. Names that begin
// with `.` are refused, too.
Result<std::vector<FolderFile>> read_safe_folder(const std::string& folder,
                                                 FolderLimits limits = {});

}  // namespace aispm::policy
