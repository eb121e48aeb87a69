// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <string>
#include <string_view>
#include <vector>

#include "aispm/v1/enforce.pb.h"
#include "aispm/v1/policy.pb.h"
#include "gateway/collector/store/database.hpp"
#include "sdk/core/common/result.hpp"
#include "sdk/core/common/time.hpp"

namespace aispm::collector::store {

namespace pb = aispm::v1;

// Who may do nothing any more, who said so, and where it is in force. Every change is noted as an
// operator's action. Owned by one thread; other connections may write at the same time.
class FreezeLedger {
 public:
  static constexpr std::size_t kMaxLive = 48;  // each is one rule to sensors, which hold 256
  static constexpr std::uint32_t kMaxValidSeconds = 366 * 86400;
  // To one host. Those about the runs of one freeze are one rule to a sensor (freeze_orders.hpp):
  // what limits them is what a snapshot may weigh and how long a sensor may take over it.
  static constexpr std::size_t kMaxOrders = 1024;

  FreezeLedger(Database& database, std::string tenant)
      : database_(database), tenant_(std::move(tenant)) {}

  // kInvalid: names nobody, or gives no reason. kExhausted: kMaxLive are in force. Stores nothing.
  Result<pb::Freeze> prepare(const pb::CreateFreezeRequest& request, const std::string& who,
                             WallTime now);
  // One that was prepared.
  Result<> store(const pb::Freeze& freeze, WallTime now);
  // Both.
  Result<pb::Freeze> create(const pb::CreateFreezeRequest& request, const std::string& who,
                            WallTime now);
  // Newest first, with what each host makes of them.
  Result<pb::FreezeList> list(const pb::ListFreezesRequest& request, WallTime now);
  // Twice is kNotFound.
  Result<pb::Freeze> lift(const pb::LiftFreezeRequest& request, const std::string& who,
                          WallTime now);

  // `pending`: further ones that are about to be stored (PendingFreezes).
  Result<pb::FreezeSnapshot> snapshot(WallTime now, std::vector<pb::Freeze> pending = {});
  // The same as orders to the sensor of a host: quarantine, or kill. Each run in a sandbox there
  // that is meant, or runs for one that is, has an order of its own, at most kMaxOrders in all.
  // What a kernel cannot tell apart (sessions without a run on that host, other tenants) has none.
  Result<std::vector<pb::Order>> orders(const std::string& host_id, WallTime now,
                                        std::vector<pb::Freeze> pending = {});
  // What a component of a host says. What it was not given is ignored.
  Result<> acknowledge(const std::string& host_id, const std::string& component,
                       const pb::AckFreezesRequest& request, WallTime now);

 private:
  Result<> check_room(WallTime now);
  Result<> raise_version();
  Result<pb::Freeze> read(const Statement& row);
  Result<> add_states(pb::Freeze* freeze);
  Result<std::vector<pb::Freeze>> live(WallTime now);

  Database& database_;
  const std::string tenant_;
};

Result<> check_freeze(const pb::Freeze& freeze);

}  // namespace aispm::collector::store
