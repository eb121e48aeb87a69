// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <map>
#include <memory>
#include <mutex>
#include <optional>
#include <string>
#include <vector>

#include "sdk/core/model/run_facts.hpp"

namespace aispm::gateway {

struct Caller;

// The sandboxed runs that go on, so that another run can be bound to one of them. aispm-run is
// connected for as long as its run lasts (serve_run_freezes); after a restart of the gateway it
// connects again. Any thread.
class RunTable {
 public:
  // Who runs, last, behind those for whom it runs.
  using Chain = std::vector<model::RunParent>;

  // Known for as long as somebody holds what this gives. The table must live longer. A run without
  // a session is not known.
  std::shared_ptr<const void> enter(const Caller& run);
  std::optional<Chain> find(const std::string& session_id) const;

 private:
  mutable std::mutex mutex_;
  std::multimap<std::string, Chain> runs_;  // by session; twice while aispm-run connects again
};

}  // namespace aispm::gateway
