// SPDX-License-Identifier: Apache-2.0
#include "gateway/proxy/voter.hpp"

namespace aispm::gateway {

Result<std::unique_ptr<Voter>> Voter::open(const VoterConfig& config) {
  std::unique_ptr<Voter> voter(new Voter(config));
  AISPM_TRY(voter->provider_, Provider::open(config.endpoint));
  return voter;
}

bool Voter::enter() {
  if (open_.fetch_add(1, std::memory_order_relaxed) < config_.concurrency) return true;
  leave();
  counts_.dropped.fetch_add(1, std::memory_order_relaxed);
  return false;
}

}  // namespace aispm::gateway
