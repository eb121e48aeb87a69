// SPDX-License-Identifier: Apache-2.0
#include "gateway/collector/store/freeze_orders.hpp"

#include <map>
#include <optional>
#include <set>
#include <string_view>

#include "gateway/collector/store/freeze_ledger.hpp"
#include "gateway/collector/store/frozen_runs.hpp"
#include "sdk/core/model/freeze_orders.hpp"

namespace aispm::collector::store {
namespace {

using Said = std::map<std::string_view, std::string_view>;  // problems, by order
using Given = std::set<std::string>;                        // orders

// Of the runs on a host that one freeze means.
struct Count {
  std::size_t all = 0;
  std::size_t held = 0;
  std::size_t nameless = 0;
  std::size_t without_room = 0;
  std::size_t unsaid = 0;
  std::size_t refused = 0;
  std::string_view why_refused;  // the first
};

Count count_runs(const pb::Freeze& freeze, const FrozenRuns::Meant& meant, const Said& said,
                 const Given& given) {
  Count count;
  count.nameless = meant.nameless;
  count.all = meant.inits.size() + meant.nameless;
  for (const model::RunInit& init : meant.inits) {
    const std::string id = model::freeze_order_id(freeze.id(), init.pid);
    const auto word = said.find(id);
    if (word == said.end()) {
      ++(given.contains(id) ? count.unsaid : count.without_room);
    } else if (word->second.empty()) {
      ++count.held;
    } else {
      if (count.refused++ == 0) count.why_refused = word->second;
    }
  }
  return count;
}

std::string describe(const Count& count) {
  if (count.held == count.all) return "";
  std::string text = "the kernel holds " + std::to_string(count.held) + " of " +
                     std::to_string(count.all) + " runs";
  const auto add = [&](std::size_t runs, const std::string& why) {
    if (runs > 0) text.append("; ").append(std::to_string(runs)).append(why);
  };
  add(count.without_room,
      " beyond the " + std::to_string(FreezeLedger::kMaxOrders) + " orders of a host");
  add(count.nameless, " did not say which process they are");
  add(count.unsaid, " not acknowledged yet");
  add(count.refused, ": " + std::string(count.why_refused));
  return text;
}

}  // namespace

Result<pb::AckFreezesRequest> FreezeOrders::states(const std::string& host_id,
                                                   const pb::AckOrdersRequest& request,
                                                   WallTime now) {
  pb::AckFreezesRequest states;
  states.set_version(request.version());
  FreezeLedger ledger(database_, tenant_);
  AISPM_TRY(const auto snapshot, ledger.snapshot(now));
  if (snapshot.freezes().empty()) return states;
  AISPM_TRY(const FrozenRuns runs, FrozenRuns::of_host(database_, host_id));
  AISPM_TRY(const auto orders, ledger.orders(host_id, now));
  Said said;
  for (const auto& state : request.states()) said.emplace(state.order_id(), state.problem());
  Given given;
  for (const pb::Order& order : orders) given.insert(order.id());
  for (const pb::Freeze& freeze : snapshot.freezes()) {
    const auto word = said.find(model::freeze_order_id(freeze.id()));
    const Count count = count_runs(freeze, runs.meant_by(freeze, tenant_), said, given);
    if (word == said.end() && count.all == 0) continue;
    // Orders that the sensor has not heard of yet: it will say.
    if (word == said.end() && count.unsaid > 0 && count.held + count.refused == 0) continue;
    const bool is_refused = word != said.end() && !word->second.empty();
    auto* const state = states.add_states();
    state->set_freeze_id(freeze.id());
    state->set_problem(is_refused ? std::string(word->second) : describe(count));
  }
  return states;
}

}  // namespace aispm::collector::store
