// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <cstdint>
#include <optional>
#include <string>

namespace aispm::gateway {

// What tier 1 made of a text, for judges that read it again.
struct FirstLook {
  // Of the text as it stands; none where tier 1 did not read it (known to be clean, or no time).
  std::optional<std::int32_t> score;
  std::string hidden;             // what the worst disguise in it hides; "" = nothing
  std::int32_t hidden_score = 0;  // of `hidden`
  bool hidden_dropped = false;    // something is hidden, and was too much to be kept
};

}  // namespace aispm::gateway
