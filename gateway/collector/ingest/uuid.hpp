// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <optional>
#include <string>
#include <string_view>

#include "gateway/collector/ingest/batch.hpp"

namespace aispm::collector {

// 16 bytes of a UUID written as 8-4-4-4-12 hex digits; nullopt for anything else.
std::optional<EventId> parse_uuid(std::string_view text);
std::string format_uuid(std::string_view bytes);

}  // namespace aispm::collector
