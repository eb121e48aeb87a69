// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <string_view>

#include "gateway/proxy/fleet/freeze_list.hpp"

namespace aispm::gateway {

// `hear`, which from now until its last copy is gone also hears of freezes of the agents that
// handed the task on: the issuers of `delegation` (x-aispm-delegation), whoever signed it. One that
// was made up can only stop more. It gets no word that nobody is frozen from these.
FreezeList::Entry::Hear hear_for_chain(FreezeList& freezes, std::string_view delegation,
                                       FreezeList::Entry::Hear hear);

// Whether one of these agents is frozen now.
bool is_chain_frozen(const policy::FreezeBook& book, std::string_view delegation, WallTime now);

}  // namespace aispm::gateway
