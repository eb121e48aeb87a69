// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <vector>

#include "aispm/v1/simulate.pb.h"
#include "sdk/core/policy/bundle.hpp"

namespace aispm::policy {

// Compiles a bundle and says what is wrong with it, where: the first problem of each file, with
// line and column. Pure.
v1::PolicyValidation validate_bundle(const std::vector<FolderFile>& files,
                                     const BundleOptions& options = {});

// An error such as "actions.yaml:3: outcome: ..." with its place; columns of YAML are looked up in
// the file itself.
v1::PolicyProblem place_problem(const std::vector<FolderFile>& files, const std::string& message);

}  // namespace aispm::policy
