// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <cstdint>
#include <map>
#include <optional>
#include <string>
#include <unordered_map>
#include <vector>

#include "aispm/v1/event.pb.h"
#include "gateway/collector/store/database.hpp"
#include "sdk/core/common/result.hpp"
#include "sdk/core/common/time.hpp"

namespace aispm::collector::inventory {

// The initial pid namespace of every Linux host (include/linux/proc_ns.h, PROC_PID_INIT_INO): never
// a sandbox.
constexpr std::uint64_t kInitialPidNamespace = 0xEFFFFFFC;

// Joins what the sensor saw to sandbox sessions by (host, pid namespace, time), in whichever order
// the two arrive.
//
// Namespace numbers are reused as soon as a sandbox has ended, so each session owns an interval: it
// begins kBeforeStart before its SandboxStart (the first processes live before the start is
// reported) but not before the session ahead of it ended, and lasts until kAfterExit after its
// SandboxExit. Intervals of one namespace never overlap, so a later arrival may simply claim all
// sensor events in its own. Lives on the writer's thread, inside its transaction; forget() after a
// rollback.
class Sessions {
 public:
  static constexpr std::int64_t kBeforeStart = 5'000'000'000;
  static constexpr std::int64_t kAfterExit = 2'000'000'000;

  struct Owner {
    std::int64_t session = 0;
    std::optional<std::int64_t> agent;
    std::string session_id;
    std::string agent_id;
  };

  explicit Sessions(store::Database& database) : database_(database) {}

  // The row of a session that an event names; made when it is new.
  Result<std::int64_t> find_or_make(const std::string& session_id, std::int64_t host,
                                    std::optional<std::int64_t> agent, WallTime time);
  // SandboxStart and SandboxExit: set the interval and claim or release what the sensor reported.
  Result<> begin(std::int64_t session, std::int64_t host, const aispm::v1::SandboxStart& start,
                 WallTime time);
  Result<> end(std::int64_t session, const aispm::v1::SandboxExit& exit, WallTime time);
  // Whose a sensor event is.
  Result<std::optional<Owner>> owner_of(std::int64_t host, std::uint64_t pid_namespace,
                                        WallTime time);
  void forget();

 private:
  struct Interval {
    Owner owner;
    std::int64_t begin = 0;
    std::int64_t end = 0;
  };
  using Place = std::pair<std::int64_t, std::uint64_t>;  // host, pid namespace
  Result<std::vector<Interval>> load(Place place);
  // Gives every sensor event and process of the namespace to the session in whose interval it lies.
  Result<> reassign(Place place, std::int64_t from, std::int64_t until);

  store::Database& database_;
  struct Known {
    std::int64_t ref = 0;
    bool has_agent = false;
  };
  std::unordered_map<std::string, Known> known_;
  std::map<Place, std::vector<Interval>> intervals_;
};

}  // namespace aispm::collector::inventory
