// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <cstdint>
#include <optional>
#include <string_view>

#include "sdk/core/model/event.hpp"

namespace aispm::sensor {

// How much a port that somebody listens on worries: nothing for the usual ones (22, 80, 443, 8000,
// 8080, 5432, 6379), else high below 1024, medium below 49152, low above. SEN-016. A port that only
// this host can reach is low at most. Pure.
std::optional<model::Severity> port_severity(std::uint16_t port, std::string_view address);

// As a detection for the listen event.
std::optional<model::Detection> judge_port(const model::SocketListen& listen);

}  // namespace aispm::sensor
