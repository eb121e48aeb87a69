// SPDX-License-Identifier: Apache-2.0
#include <array>

#include "sdk/core/model/event.hpp"

namespace aispm::model {
namespace {

constexpr std::array<std::string_view, 6> kSources = {"",        "sensor", "gateway",
                                                      "sandbox", "sdk",    "collector"};
constexpr std::array<std::string_view, 6> kSeverities = {"",       "info", "low",
                                                         "medium", "high", "critical"};
constexpr std::array<std::string_view, 13> kOutcomes = {
    "",        "allow",          "deny",          "redact",   "require_approval",
    "step_up", "require_ticket", "require_human", "approved", "rejected",
    "timeout", "kill_switch",    "rate_limited"};
constexpr std::array<std::string_view, 6> kDenials = {"",        "connect", "dns",
                                                      "syscall", "file",    "limit"};

template <typename Enum, std::size_t N>
std::optional<Enum> parse(std::string_view name, const std::array<std::string_view, N>& names) {
  for (std::size_t i = 1; i < N; ++i)
    if (names[i] == name) return static_cast<Enum>(i);
  return std::nullopt;
}

}  // namespace

std::string_view name_of(Source source) { return kSources.at(static_cast<std::size_t>(source)); }
std::string_view name_of(Severity severity) {
  return kSeverities.at(static_cast<std::size_t>(severity));
}
std::string_view name_of(Outcome outcome) {
  return kOutcomes.at(static_cast<std::size_t>(outcome));
}
std::string_view name_of(DenialKind kind) { return kDenials.at(static_cast<std::size_t>(kind)); }
std::optional<Severity> parse_severity(std::string_view name) {
  return parse<Severity>(name, kSeverities);
}
std::optional<Outcome> parse_outcome(std::string_view name) {
  return parse<Outcome>(name, kOutcomes);
}

}  // namespace aispm::model
