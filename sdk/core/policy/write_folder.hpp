// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <string>
#include <vector>

#include "sdk/core/policy/safe_folder.hpp"

namespace aispm::policy {

// Writes files as a folder that is not there yet, whole or not at all: into one beside it that is
// then renamed. kInvalid: a path that does not lead to a file of its own within the folder; nothing
// was written. kExists: something has that name.
Result<> write_folder(const std::string& folder, const std::vector<FolderFile>& files);

}  // namespace aispm::policy
