// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <ctime>
#include <string>
#include <vector>

namespace aispm::sandbox {

// Git obeys a repository's configuration and hooks wherever somebody calls it there, and for an
// entry of the index that leads into one also where it is called above. The workspace's own are
// protected (plan/workspace.cpp); others can be made in any folder of it, under any name, so what
// is left is to say so.
struct ChangedRepositories {
  std::vector<std::string> paths;  // below the workspace, "." for itself, fit to be printed
  std::size_t more = 0;            // that are not named
  bool is_complete = true;         // false: the workspace has more than is looked at in 2 s
};

// Repositories within `workspace`, bare ones too, that were made, changed or used since `since`
// (CLOCK_REALTIME_COARSE, as the kernel notes it: nobody inside can set it). Follows no link.
ChangedRepositories find_changed_repositories(const std::string& workspace, const timespec& since);

// For the caller; empty: there is nothing to tell.
std::string to_text(const ChangedRepositories& found);

}  // namespace aispm::sandbox
