// SPDX-License-Identifier: Apache-2.0
#pragma once

#include "gateway/proxy/client.hpp"

namespace aispm::gateway {

// Tells aispm-run whether operators stopped its run, at once and with every change, until it hangs
// up: lines "free", "frozen REASON", "killed REASON".
net::Task<bool> serve_run_freezes(Client& client, codec::http1::Head head);

// The freeze that fits a caller; empty when nobody stopped it.
std::optional<Refusal> find_freeze(const Services& services, const Caller& caller);

}  // namespace aispm::gateway
