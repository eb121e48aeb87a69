// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <boost/json.hpp>
#include <string>
#include <string_view>

#include "sdk/core/common/result.hpp"

namespace aispm::sandbox {

// Reads a JSON object. `name` begins errors.
Result<boost::json::object> parse_object(std::string_view text, const std::string& name);
// Member `key` as text; empty when it is none.
std::string text_of(const boost::json::object& object, std::string_view key);
// Member `key` as an object; null when it is none.
const boost::json::object* object_of(const boost::json::object& object, std::string_view key);

// Names of npm ("left-pad", "@scope/name") and of Python packages, versions, and hashes as they
// may stand in a Package.
bool is_package_name(std::string_view name);
bool is_package_version(std::string_view version);

}  // namespace aispm::sandbox
