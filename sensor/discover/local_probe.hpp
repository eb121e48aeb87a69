// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <chrono>
#include <cstdint>
#include <optional>
#include <string>
#include <vector>

#include "sensor/classify/facts.hpp"
#include "sensor/classify/signatures.hpp"

namespace aispm::sensor {

inline constexpr std::chrono::milliseconds kProbeLimit{1000};
inline constexpr std::size_t kMaxProbeAnswerBytes = 64U << 10;
inline constexpr std::size_t kMaxProbePaths = 6;

// True when a TCP connection to the numeric address is accepted within kProbeLimit (SEN-017).
bool can_reach(const std::string& address, std::uint16_t port);

// Asks a listener of this host over HTTP what it is: its port's usual paths, one request each.
std::vector<EvidenceItem> ask_listener(std::uint16_t port, const Signatures& signatures);

}  // namespace aispm::sensor
