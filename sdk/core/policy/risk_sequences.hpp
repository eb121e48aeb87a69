// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <string_view>
#include <vector>

#include "sdk/core/policy/risk.hpp"

namespace aispm::policy {

// ATLAS techniques that several signals of a conversation make together: Rego's `input.ttps`. One
// signal alone is no sequence: other rules of the modules judge it.
std::vector<std::string_view> sequences_of(RiskSignals signals);

}  // namespace aispm::policy
