// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <string>

#include "aispm/v1/api.pb.h"
#include "sdk/cli/table.hpp"

namespace aispm::cli {

// One run of one agent as people read it: what it was and how it was contained, then in the order
// of time its prompts with what rules saw in them and what policy said, the replies, the processes
// it started and the connections it tried.
std::string render_story(const v1::SessionStory& story, const Screen& screen);

}  // namespace aispm::cli
