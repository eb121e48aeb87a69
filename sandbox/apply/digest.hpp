// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <optional>
#include <string>
#include <vector>

#include "sandbox/model/plan.hpp"

namespace aispm::sandbox {

// "program /usr/bin/python3.11 sha256:..." for the program and the script it runs, at their paths
// inside. A digest is kept in `plan.digest_cache` by device, inode, size and times, so that an
// unchanged program is read once; a cache that cannot be used only costs time.
std::vector<std::string> digest_programs(const Plan& plan);

// A program or script of the plan whose content the profile does not admit. Reads the files anew:
// the cache is the caller's, who could write anything into it.
struct NotAdmitted {
  std::string path;
  std::string digest;  // "unreadable" when it cannot be read
};
std::optional<NotAdmitted> find_not_admitted(const Plan& plan);

}  // namespace aispm::sandbox
