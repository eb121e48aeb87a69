// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <memory>
#include <optional>
#include <span>

#include "gateway/collector/ingest/batch.hpp"
#include "gateway/collector/inventory/boundaries.hpp"
#include "gateway/collector/inventory/fleet.hpp"
#include "gateway/collector/inventory/processes.hpp"
#include "gateway/collector/inventory/refs.hpp"
#include "gateway/collector/inventory/sessions.hpp"
#include "gateway/collector/inventory/tally.hpp"
#include "gateway/collector/store/database.hpp"
#include "sdk/core/common/result.hpp"
#include "sdk/core/common/time.hpp"

namespace aispm::collector::store {

// Writes deliveries: events, what the inventory derives from them, and how far each producer got,
// in one transaction. Owned by one thread.
class EventWriter {
 public:
  // The schema must have been migrated.
  static Result<std::unique_ptr<EventWriter>> open(Database database);

  // All or nothing. After success everything in `group` is durable, `acknowledged` is set in each
  // delivery and `is_stored` in each event, and events of sandboxes carry agent and session. After
  // a failure nothing happened and the call may be repeated. kExhausted: the disk (or the allowed
  // size) is full.
  Result<> commit(std::span<const std::unique_ptr<Delivery>> group, WallTime now);

  // Deletes the oldest events, at most `limit`, while they are older than `oldest` or the store is
  // larger than `max_bytes`. Returns how many; the count is also kept in the store.
  Result<std::uint64_t> retain(WallTime oldest, std::uint64_t max_bytes, std::uint32_t limit);

 private:
  explicit EventWriter(Database database);

  struct Ids {
    std::int64_t host = 0;
    std::optional<std::int64_t> agent;
    std::optional<std::int64_t> session;
  };
  Result<> try_commit(std::span<const std::unique_ptr<Delivery>> group, WallTime now);
  // Makes the row of a host that this store does not know although its certificate is ours.
  Result<> admit(const Producer& producer, WallTime now);
  Result<> greet(Delivery& delivery, std::int64_t host, WallTime now);
  Result<> write_batch(Delivery& delivery, std::int64_t host, WallTime now);
  Result<> write_event(const Producer& producer, IncomingEvent& incoming, std::int64_t host);
  // Stores the state of a component; true when it differs from the last one that was kept as an
  // event.
  Result<bool> note_health(const Producer& producer, const pb::ComponentHealth& health,
                           std::int64_t host);
  Result<Ids> resolve(IncomingEvent& incoming, std::int64_t host);
  // A sandbox that differs from the agent's last one: adds a detection to the event.
  Result<> tell_drift(IncomingEvent& incoming, const Ids& ids);
  // True when the event is new.
  Result<bool> insert_event(const IncomingEvent& incoming, const Ids& ids);
  Result<> derive(const IncomingEvent& incoming, const Ids& ids, std::int64_t seq);
  Result<> add_counter(std::string_view name, std::uint64_t amount);

  Database database_;
  inventory::Refs refs_;
  inventory::Sessions sessions_;
  inventory::Boundaries boundaries_;
  inventory::Processes processes_;
  inventory::Tally tally_;
  inventory::Fleet fleet_;
  std::uint64_t stored_ = 0;  // in this transaction
  std::uint64_t duplicates_ = 0;
  std::uint64_t rejected_ = 0;
};

}  // namespace aispm::collector::store
