// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <cstddef>
#include <string>
#include <string_view>

#include "sdk/core/codec/json_tree.hpp"

namespace aispm::codec {

// One JSON text for all that differ only in white space, order of members and ways to escape: no
// spaces, members sorted by the bytes of their decoded names, strings escaped as json_string()
// does. Numbers stay as written (1 and 1.0 differ): two readers may see two numbers in them. `skip`
// names one member of the outermost object to be left out.
std::string canonical_json(const JsonTree& tree, std::size_t node, std::string_view skip = {});

// Lower-case hex SHA-256 of it.
std::string canonical_sha256(const JsonTree& tree, std::size_t node);

}  // namespace aispm::codec
