// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <string>
#include <string_view>

namespace aispm::cli {

// What turns `before` into `after`, line by line, as `diff -u` shows it; empty when they are equal.
// Texts that differ in more than 2000 lines are shown as replaced as a whole.
std::string unified_diff(std::string_view name, std::string_view before, std::string_view after);

}  // namespace aispm::cli
