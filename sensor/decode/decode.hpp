// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <array>
#include <cstddef>
#include <span>

#include "bpf/events.h"
#include "sdk/core/common/result.hpp"
#include "sensor/model/records.hpp"

namespace aispm::sensor {

// One record as it lay in a ring, as a value. The ring may hold more bytes than the record uses.
// kInvalid when a size, kind or value cannot be right; nothing outside of `bytes` is read.
Result<Record> decode_record(std::span<const std::byte> bytes);

// The kernel's loss counters with their names: "ring_full.control", "ring_full.data", "read_fault",
// ...
LossSnapshot decode_losses(BootTime time, const std::array<aispm_loss, AISPM_LOSS_CAUSES>& sums);

}  // namespace aispm::sensor
