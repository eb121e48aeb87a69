// SPDX-License-Identifier: Apache-2.0
#include "sdk/core/policy/tool_sightings.hpp"

namespace aispm::policy {

ToolSightings::Agent& ToolSightings::agent_of(const std::string& key) {
  if (const auto known = index_.find(key); known != index_.end()) {
    agents_.splice(agents_.begin(), agents_, known->second);
    return agents_.front();
  }
  if (agents_.size() >= kAgents) {
    index_.erase(agents_.back().key);
    agents_.pop_back();
    ++forgotten_;
  }
  agents_.push_front({key, {}});
  index_.emplace(key, agents_.begin());
  return agents_.front();
}

ToolSightings::Seen ToolSightings::see(std::string_view tenant, std::string_view agent,
                                       std::string_view tool, const ToolSight& sight) {
  std::string key(tenant);
  key.append(1, '\0').append(agent);
  std::string hashes(sight.description);
  hashes.append(1, '\0').append(sight.schema);
  const std::lock_guard lock(mutex_);
  Agent& known = agent_of(key);
  if (const auto entry = known.tools.find(std::string(tool)); entry != known.tools.end())
    return entry->second == hashes ? Seen::kSame : Seen::kChanged;
  if (known.tools.size() >= kTools) return Seen::kTooMany;
  known.tools.emplace(tool, std::move(hashes));
  return Seen::kFirst;
}

std::uint64_t ToolSightings::forgotten() const {
  const std::lock_guard lock(mutex_);
  return forgotten_;
}

}  // namespace aispm::policy
