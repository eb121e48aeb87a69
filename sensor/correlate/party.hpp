// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <optional>

#include "sensor/model/records.hpp"

namespace aispm::sensor {

// Whose stream it is and where it leads, as far as is known by now: a stream's socket may become
// known only after its first bytes.
struct Party {
  Actor actor;  // the process that was looked at
  StreamKey key;
  std::optional<Endpoints> socket;  // source is the actor's own end
  Attribution attribution;          // of `socket`
  ProcessId peer;                   // kStdio: the process at the other end; zero = unknown
  bool is_server = false;           // the actor answers; requests come from its peer
};

}  // namespace aispm::sensor
