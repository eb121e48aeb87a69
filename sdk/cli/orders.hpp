// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <cstdint>
#include <string>

#include "aispm/v1/enforce.pb.h"
#include "sdk/cli/commands.hpp"

namespace CLI {
class App;
}

// block, allow, quarantine, kill, orders, undo.
namespace aispm::cli {

// Tells sensors. Waits a moment for what they make of it, and says so.
Result<> create_order(Client& client, v1::CreateOrderRequest request, const Output& output);
Result<> list_orders(Client& client, bool with_past, std::size_t limit, const Output& output);
// `id` may be the first digits of one.
Result<> undo_order(Client& client, const std::string& id, const Output& output);

// "block agent alice/codex, addresses 192.0.2.0/24"
std::string describe(const v1::Order& order);

}  // namespace aispm::cli
