// SPDX-License-Identifier: Apache-2.0
#include "sensor/classify/port_rules.hpp"

#include <algorithm>
#include <array>
#include <string>

namespace aispm::sensor {
namespace {

constexpr std::array<std::uint16_t, 7> kUsual = {22, 80, 443, 5432, 6379, 8000, 8080};
constexpr std::uint16_t kFirstRegistered = 1024;
constexpr std::uint16_t kFirstDynamic = 49152;

bool is_loopback(std::string_view address) {
  return address.starts_with("127.") || address == "::1";
}

}  // namespace

std::optional<model::Severity> port_severity(std::uint16_t port, std::string_view address) {
  if (std::find(kUsual.begin(), kUsual.end(), port) != kUsual.end()) return std::nullopt;
  if (is_loopback(address) || port >= kFirstDynamic) return model::Severity::kLow;
  return port < kFirstRegistered ? model::Severity::kHigh : model::Severity::kMedium;
}

std::optional<model::Detection> judge_port(const model::SocketListen& listen) {
  const auto severity = port_severity(listen.port, listen.address);
  if (!severity) return std::nullopt;
  model::Detection detection;
  detection.rule_id = "port.unusual";
  detection.category = "behaviour";
  detection.severity = *severity;
  detection.confidence = 1;
  detection.evidence = listen.protocol + "/" + std::to_string(listen.port);
  detection.message = "a port outside of the usual ones is open";
  return detection;
}

}  // namespace aispm::sensor
