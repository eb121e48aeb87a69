// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <string>

#include "sdk/core/common/result.hpp"
#include "sdk/core/common/secret.hpp"

namespace aispm {

// The key of keyed_hash() that belongs to a program's state folder: `secret-hash.key`, made with
// the first call, readable by its owner only. Errors: the file cannot be read or written.
Result<Secret> load_hash_key(const std::string& folder);

}  // namespace aispm
