// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <functional>
#include <string_view>

#include "gateway/mcp/asked_calls.hpp"
#include "sdk/core/model/event.hpp"

// Where the exchange with a model and the MCP endpoint meet.
namespace aispm::gateway {

struct Caller;
struct ExchangeState;

AskedFor asked_for(const Caller& caller);

// Notes that a model's reply is about to go to its agent, and the calls it asks for. `reply`:
// whole, as the agent gets it. Does nothing where nobody wants to know.
void note_asked(ExchangeState& exchange, std::string_view reply);

// Hears of the calls of a reply that streams, before the agent does; null: nobody wants to know.
// Notes the reply, too.
std::function<void(std::string_view tool, std::string_view arguments)> hear_asked(
    ExchangeState& exchange);

// What a match means; nothing: nothing to tell.
std::optional<model::Detection> finding_of(AskedMatch match);

}  // namespace aispm::gateway
