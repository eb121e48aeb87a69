// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <cstdint>
#include <deque>
#include <optional>
#include <set>
#include <tuple>

#include "aispm/v1/event.pb.h"
#include "gateway/collector/inventory/sessions.hpp"
#include "gateway/collector/store/database.hpp"
#include "sdk/core/common/result.hpp"
#include "sdk/core/common/time.hpp"

namespace aispm::collector::inventory {

// Processes in which the sensor saw AI use, by (host, pid, start time).
// A process without a verdict, or with a single unsanctioned one, is unsanctioned.
// Lives on the writer's thread, inside its transaction; forget() after a rollback.
class Processes {
 public:
  explicit Processes(store::Database& database) : database_(database) {}

  // An AiUse or LlmCall of the sensor.
  Result<> see(std::int64_t host, const aispm::v1::Event& event, WallTime time,
               const std::optional<Sessions::Owner>& owner);
  // Remembers the exit too: a call's event may come after it, when the connection is closed by the
  // exit itself.
  Result<> exit(std::int64_t host, const aispm::v1::Process& process, WallTime time);
  // Nothing of an earlier boot runs any more.
  Result<> reboot(std::int64_t host);
  void forget() {}

 private:
  using Key = std::tuple<std::int64_t, std::uint32_t, std::uint64_t>;
  static constexpr std::size_t kRememberedExits = 65536;
  Result<> add_fact(std::int64_t process, int kind, std::string_view value, int calls);

  store::Database& database_;
  std::set<Key> exited_;
  std::deque<Key> exit_order_;
};

}  // namespace aispm::collector::inventory
