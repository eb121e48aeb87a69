// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <string>
#include <string_view>
#include <vector>

#include "gateway/proxy/unknown_fields.hpp"
#include "sdk/core/common/result.hpp"
#include "sdk/core/model/event.hpp"

namespace aispm::gateway {

inline constexpr std::size_t kMaxEventsBodyBytes = 1U << 20;
inline constexpr std::size_t kMaxEventsPerBody = 1024;

enum class EventAuthor : std::uint8_t {
  kAgent,  // its own words: agent_ready and agent_log only
  kRun,    // aispm-run: sandbox events too
};

// Who an event is from, put over whatever its body claims.
struct EventStamp {
  std::string agent_id;
  std::string session_id;
  std::string tenant;
  std::string host_id;
  std::string trace_id;  // when the event has none
};

struct AgentEvents {
  std::vector<model::Event> events;
  UnknownFields unknown;
};

// Reads {"events":[...]}, proto3 JSON of aispm.v1.Event, and stamps each. What a newer reporter
// says in fields, values and kinds of events that this version does not know is left out and
// counted. Otherwise all or nothing: kInvalid names the event that is wrong ("events[3]: ..."),
// kTooLarge past a limit.
Result<AgentEvents> read_events(std::string_view body, EventAuthor author, const EventStamp& stamp);

}  // namespace aispm::gateway
