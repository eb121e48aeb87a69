// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <functional>
#include <memory>

#include "sdk/cli/orders.hpp"

namespace aispm::cli {

// Adds block, allow, quarantine, kill, orders and undo to the command line. `choose` is given what
// to do when one of them stands there.
void add_order_commands(
    CLI::App& app,
    const std::function<void(std::function<Result<>(Client&, const Output&)>)>& choose);

}  // namespace aispm::cli
