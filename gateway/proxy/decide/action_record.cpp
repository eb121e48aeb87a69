// SPDX-License-Identifier: Apache-2.0
#include "gateway/proxy/decide/action_record.hpp"

#include "sdk/core/common/id.hpp"

namespace aispm::gateway {
namespace {

void record(Worker& worker, const AskedBy& by, const ActionGate& gate, JudgedAction& action,
            const Settled& settled, std::string_view mode) {
  model::Event event = action_event(action, gate.caller(), gate.risk(),
                                    {.outcome = settled.outcome,
                                     .reason = settled.reason,
                                     .mode = mode,
                                     .store_text = by.store_text});
  event.tenant = by.caller->tenant;
  event.host_id = worker.services().host_id;
  event.session_id = by.caller->session_id;
  event.trace_id = by.trace_id;
  event.span_id = make_span_id();
  std::get<model::ActionCall>(event.body).call_event_id = by.call_event_id;
  action.is_recorded = true;
  worker.counters().actions.add();
  worker.record(std::move(event));
}

}  // namespace

void record_action(Worker& worker, const AskedBy& by, const ActionGate& gate, JudgedAction& action,
                   const Settled& settled) {
  // Without a policy in force only what is stronger than any stops it: a freeze, a limit.
  const std::string_view mode =
      settled.passes ? gate.mode() : policy::name_of(policy::Mode::kEnforce);
  record(worker, by, gate, action, settled, mode);
  if (gate.policies().enforced && settled.is_settled)
    worker.services().streaks.note(by.caller->key(), !settled.passes);
}

void record_rest(Worker& worker, const AskedBy& by, ActionGate& gate) {
  for (JudgedAction& action : gate.actions())
    if (!action.is_recorded) record_action(worker, by, gate, action, settled_of(action));
  for (JudgedAction& action : gate.watched())
    record(worker, by, gate, action, settled_of(action), policy::name_of(policy::Mode::kMonitor));
  worker.counters().actions_unwatched.add(gate.unwatched());
}

}  // namespace aispm::gateway
