// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <string>
#include <vector>

#include "aispm/v1/policy.pb.h"
#include "gateway/collector/store/database.hpp"
#include "sdk/core/common/result.hpp"
#include "sdk/core/common/time.hpp"
#include "sdk/core/model/run_facts.hpp"

namespace aispm::collector::store {

namespace pb = aispm::v1;

// The sandboxed runs of one host that go on, as kernels know them: what binds a session, an agent
// or those who run for them to processes. Read once; lives for one snapshot.
class FrozenRuns {
 public:
  static constexpr int kMaxRuns = 4096;  // of one host; of more, the newest

  struct Meant {
    std::vector<model::RunInit> inits;
    std::size_t nameless = 0;  // runs that did not say which process they are
  };

  static Result<FrozenRuns> of_host(Database& database, const std::string& host_id);
  // Those that `freeze`, which is in force, is about, by themselves or by whom they run for.
  // `tenant`: whose they are.
  Meant meant_by(const pb::Freeze& freeze, const std::string& tenant) const;

 private:
  struct Run {
    model::RunInit init;                // pid 0: not known
    std::vector<model::RunParent> who;  // itself, then for whom it runs
  };
  std::vector<Run> runs_;
};

// Whether any freeze is in force, so that sensors must hear of runs that begin and end.
Result<bool> has_freezes(Database& database, WallTime now);
// Sensors get their orders anew.
Result<> raise_order_version(Database& database);

}  // namespace aispm::collector::store
