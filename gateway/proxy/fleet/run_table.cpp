// SPDX-License-Identifier: Apache-2.0
#include "gateway/proxy/fleet/run_table.hpp"

#include "gateway/proxy/client.hpp"

namespace aispm::gateway {

std::shared_ptr<const void> RunTable::enter(const Caller& run) {
  if (run.session_id.empty()) return nullptr;
  Chain chain = run.parents;
  chain.push_back({run.agent_id, run.session_id});
  const std::lock_guard lock(mutex_);
  const auto place = runs_.emplace(run.session_id, std::move(chain));
  return {&*place, [this, place](const void*) {
            const std::lock_guard ending(mutex_);
            runs_.erase(place);
          }};
}

std::optional<RunTable::Chain> RunTable::find(const std::string& session_id) const {
  const std::lock_guard lock(mutex_);
  const auto found = runs_.find(session_id);
  if (found == runs_.end()) return std::nullopt;
  return found->second;
}

}  // namespace aispm::gateway
