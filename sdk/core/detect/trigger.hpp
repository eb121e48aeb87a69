// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <optional>
#include <string>

#include "sdk/core/detect/pattern.hpp"

namespace aispm::detect {

// Fewer sure characters than this say too little: the trigger would fire all the time.
inline constexpr std::size_t kMinTriggerBytes = 4;

// A pattern that stands somewhere in every match of `pattern` and is much cheaper to look for: the
// piece with the most characters between unbounded runs of wide classes (`[\w']+`), which keep a
// matcher busy over whole paragraphs. Nothing when the pattern has no such run, or no piece of
// kMinTriggerBytes. In Hyperscan's syntax; upper and lower case are spelled out.
std::optional<std::string> derive_trigger(const Node& pattern);

// Hardly a sure character and long runs of classes, like an IBAN or what surrounds an @: beside
// other patterns such a one keeps Hyperscan from skipping ahead; alone it is nearly free.
bool is_sparse(const Node& pattern);

}  // namespace aispm::detect
