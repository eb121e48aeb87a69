// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <memory>
#include <string>

#include "sdk/core/detect/engine.hpp"

namespace aispm::sensor {

// What looks into prompts: the rules of a folder, or the built-in ones for secrets when it is "".
// Takes seconds where the cache holds nothing.
Result<std::shared_ptr<const detect::Engine>> make_prompt_engine(const std::string& folder);

}  // namespace aispm::sensor
