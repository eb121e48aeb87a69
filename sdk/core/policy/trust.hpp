// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <cstdint>
#include <optional>
#include <string_view>

// How far an agent is trusted, from what the registry says of it and how it behaves. What a caller
// claims of itself is not among the inputs.
namespace aispm::policy {

enum class TrustLevel : std::uint8_t { kUntrusted, kBasic, kVerified, kPrivileged, kSystem };
std::string_view name_of(TrustLevel level);
std::optional<TrustLevel> parse_trust_level(std::string_view name);

struct TrustFacts {
  TrustLevel registered = TrustLevel::kUntrusted;
  bool in_production = false;
  bool is_attested = false;
  bool is_attestation_expired = false;
  unsigned delegation_depth = 0;
  unsigned max_delegation_depth = 3;
  int hour = 12;  // 0..23 where the agent is
  unsigned denials_in_row = 0;
};

struct Trust {
  int score = 0;  // 0..100
  TrustLevel level = TrustLevel::kUntrusted;
};

// Never above the registered level.
Trust evaluate_trust(const TrustFacts& facts);

}  // namespace aispm::policy
