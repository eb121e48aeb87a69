// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <functional>

#include "sdk/cli/approvals.hpp"

namespace aispm::cli {

// Adds `approval list|show|approve|deny|escalate|take-over|finish|link`.
void add_approval_commands(
    CLI::App& app,
    const std::function<void(std::function<Result<>(Client&, const Output&)>)>& choose);

}  // namespace aispm::cli
