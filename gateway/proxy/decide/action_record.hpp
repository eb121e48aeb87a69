// SPDX-License-Identifier: Apache-2.0
#pragma once

#include "gateway/proxy/decide/settlement.hpp"

namespace aispm::gateway {

// One event for what became of an action; marks it as recorded.
void record_action(Worker& worker, const AskedBy& by, const ActionGate& gate, JudgedAction& action,
                   const Settled& settled);

// Events of all that nobody had to be asked about, and of what policies that are only watched said.
// Last step of an exchange.
void record_rest(Worker& worker, const AskedBy& by, ActionGate& gate);

}  // namespace aispm::gateway
