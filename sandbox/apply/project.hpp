// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <cstdint>
#include <functional>
#include <string>

#include "sdk/core/common/result.hpp"

// Project quotas of ext4 and XFS: the kernel counts what files of one number hold, and refuses
// more.
namespace aispm::sandbox {

struct ProjectUse {
  std::uint64_t bytes = 0;
  std::uint64_t inodes = 0;
  std::uint64_t limit_bytes = 0;  // 0: none
  std::uint64_t limit_inodes = 0;
  bool is_used() const { return bytes + inodes + limit_bytes + limit_inodes != 0; }
};

// Whether the file system of the open `folder` counts projects and enforces their limits. The error
// says what is missing, and `path` where.
Result<> check_projects(int folder, const std::string& path);
// "ext4", "XFS", ..., else its number.
std::string name_of_file_system(int folder);

Result<ProjectUse> project_use(int folder, std::uint32_t project);
// 0: no limit. Bytes in whole KiB.
Result<> limit_project(int folder, std::uint32_t project, std::uint64_t bytes,
                       std::uint64_t inodes);

inline constexpr std::uint64_t kMaxProjectFiles = 2'000'000;

// Gives all that lies in `folder`, on its file system, from nobody to `project`, new files too.
// Links and special files cannot be given. kDenied when something belongs to another project
// already. Changes the process's current folder meanwhile.
Result<> take_into_project(const std::string& folder, std::uint32_t project);
// The reverse, of what belongs to `project` alone. Goes on over what cannot be given back; an error
// says how many were left and one of them.
Result<> give_back_from_project(const std::string& folder, std::uint32_t project);

}  // namespace aispm::sandbox
