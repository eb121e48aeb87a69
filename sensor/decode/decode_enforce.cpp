// SPDX-License-Identifier: Apache-2.0
#include <algorithm>

#include "sensor/decode/parts.hpp"

namespace aispm::sensor {
namespace {

// Names of servers come as the kernel looks them up: from their end, each label ended by a dot.
std::string name_of(const aispm_enforced_event& event) {
  const std::size_t size = std::min<std::size_t>(event.name_size, AISPM_NAME_BYTES);
  std::string name(event.name, std::find(event.name, event.name + size, '\0'));
  if (event.act != AISPM_ACT_HELLO) return name;
  if (name.ends_with('.'))
    name.pop_back();
  else if (!name.empty())
    name += "...";  // the first labels did not fit
  std::reverse(name.begin(), name.end());
  return name;
}

}  // namespace

Result<Record> decode_enforced(Bytes bytes) {
  AISPM_TRY(const auto event, copy_whole<aispm_enforced_event>(bytes));
  if (event.act >= AISPM_ACTS || event.count == 0 ||
      (event.flags & ~(AISPM_ENFORCED_DENIED | AISPM_ENFORCED_KILLED)) != 0)
    return fail(Errc::kInvalid, "enforcement record with an unknown act or outcome");
  EnforcedAct act;
  act.time = {event.header.boottime_ns};
  act.actor = decode_actor(event.header, event.actor);
  act.rules = RuleMask{event.rules};
  act.act = event.act;
  act.was_denied = (event.flags & AISPM_ENFORCED_DENIED) != 0;
  act.was_killed = (event.flags & AISPM_ENFORCED_KILLED) != 0;
  act.count = event.count;
  if (event.socket.family != 0) {
    AISPM_TRY(const Endpoints socket, decode_endpoints(event.socket));
    act.destination = socket.destination;
  }
  act.name = name_of(event);
  act.detail = event.detail;
  return act;
}

}  // namespace aispm::sensor
