// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <string>
#include <string_view>

#include "aispm/v1/event.pb.h"
#include "sdk/core/common/result.hpp"
#include "sdk/core/model/event.hpp"

// model::Event <-> aispm::v1::Event. Pure functions, thread-safe.
namespace aispm::report {

// Longest JSON text from_json() reads.
constexpr std::size_t kMaxEventJsonBytes = 4U << 20;

// Every field is carried over; text that is not UTF-8 gets U+FFFD for each bad byte, because
// protobuf refuses to parse such text and one such event would otherwise stop the delivery of all.
void to_proto(const model::Event& event, v1::Event& out);

// The reverse. kInvalid for what the model cannot hold: a port above 65535 or a time outside
// 1970..2262. Enum values this version does not know become kUnspecified. An event without a body
// has std::monostate.
Result<model::Event> from_proto(const v1::Event& event);

// One line of proto3 JSON with the field names of event.proto (snake_case).
Result<std::string> to_json(const model::Event& event);
// Takes both snake_case and camelCase. kInvalid with the parser's own words; unknown fields are
// errors.
Result<model::Event> from_json(std::string_view json);

}  // namespace aispm::report
