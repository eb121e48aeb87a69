// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <optional>
#include <string>

#include "gateway/proxy/providers/bedrock.hpp"

namespace aispm::gateway {

// What an exchange needs beyond its dialect's own words where the provider has paths, bodies or
// replies of its own. One per attempt.
struct ServiceCall {
  std::string target;                   // of the request line
  std::string reply;                    // a whole reply in the dialect's words; "" = as it came
  std::optional<BedrockStream> stream;  // a streamed one
};

}  // namespace aispm::gateway
