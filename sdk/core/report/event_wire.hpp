// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <string>
#include <string_view>

#include "sdk/core/model/event.hpp"

namespace aispm::report {

// The event as one `events` field of an aispm.v1.EventBatch: such pieces in a row are a batch,
// without parsing them again. The same message as to_proto() makes (convert.hpp).
//
// It lies in `room`, which grows and is never shrunk: whoever keeps it for the next event allocates
// nothing. Calls of models without a process, which is all that a gateway records of its traffic,
// are written from the model itself; what else there is takes the way through protobuf's classes.
std::string_view write_event(const model::Event& event, std::string& room);

}  // namespace aispm::report
