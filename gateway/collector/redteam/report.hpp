// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <string_view>

#include "aispm/v1/redteam.pb.h"
#include "sdk/core/common/result.hpp"

namespace aispm::collector::redteam {

// Fills the figures of a run from the report that `aispm redteam run` wrote. kInternal when it is
// none. Pure.
Result<> read_report(std::string_view json, aispm::v1::RedTeamRun& run);

// Fills rows and licences from what `aispm redteam corpus --json` says of one set. Pure.
Result<> read_corpus(std::string_view json, aispm::v1::RedTeamCorpus& corpus);

}  // namespace aispm::collector::redteam
