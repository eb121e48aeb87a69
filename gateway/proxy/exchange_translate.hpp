// SPDX-License-Identifier: Apache-2.0
#pragma once

#include "gateway/proxy/exchange_state.hpp"

namespace aispm::gateway {

// Whether this provider of another protocol serves the request by translation.
bool can_translate(const ExchangeState& x, const Provider& provider);

// Translates for the provider in its place and the model that it is to get. A refusal when the
// request cannot be said in its protocol; then there is no translation.
Step begin_translation(ExchangeState& x);

}  // namespace aispm::gateway
