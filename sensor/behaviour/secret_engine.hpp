// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <memory>

#include "sdk/core/common/result.hpp"
#include "sdk/core/detect/database_cache.hpp"
#include "sdk/core/detect/engine.hpp"

namespace aispm::sensor {

// Where the sensor keeps compiled rules; one that keeps nothing, and a log line, where that cannot
// be used.
detect::DatabaseCache open_rule_cache();

// The built-in rules for secrets.
Result<std::shared_ptr<const detect::Engine>> make_secret_engine();

}  // namespace aispm::sensor
