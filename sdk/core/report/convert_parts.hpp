// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <cstdint>
#include <string>
#include <vector>

#include "aispm/v1/event.pb.h"
#include "sdk/core/common/result.hpp"
#include "sdk/core/common/utf8.hpp"
#include "sdk/core/model/event.hpp"

// What the two directions of conversion and their files share. Internal to report.
namespace aispm::report {

inline constexpr std::int64_t kNanosPerSecond = 1'000'000'000;

// A time in the two parts that protobuf has: `nanos` is 0..999'999'999, also before 1970.
struct TimeParts {
  std::int64_t seconds = 0;
  std::int32_t nanos = 0;
};
constexpr TimeParts parts_of(WallTime time) {
  std::int64_t seconds = time.nanoseconds / kNanosPerSecond;
  std::int64_t rest = time.nanoseconds % kNanosPerSecond;
  if (rest < 0) {
    rest += kNanosPerSecond;
    --seconds;
  }
  return {seconds, static_cast<std::int32_t>(rest)};
}

template <typename Texts>
void put(const std::vector<std::string>& from, Texts* to) {
  to->Reserve(static_cast<int>(from.size()));
  for (const std::string& text : from) to->Add(to_utf8(text));
}
void put(const model::Process& process, v1::Process& out);

template <typename Texts>
std::vector<std::string> get(const Texts& from) {
  return {from.begin(), from.end()};
}
Result<std::uint16_t> get_port(std::uint32_t port);
model::Process get(const v1::Process& process);

// What the sensor says about a host.
void put(const model::McpCall& body, v1::McpCall& to);
void put(const model::McpTools& body, v1::McpTools& to);
void put(const model::Asset& body, v1::Asset& to);
void put(const model::SocketClose& body, v1::SocketClose& to);
void put(const model::NameSeen& body, v1::NameSeen& to);
void put(const model::TlsCoverage& body, v1::TlsCoverage& to);
void put(const model::FileAccess& body, v1::FileAccess& to);
void put(const model::Tamper& body, v1::Tamper& to);
void put(const model::Enforcement& body, v1::Enforcement& to);
void put(const model::ActionCall& body, v1::ActionCall& to);
void put(const model::OperatorAction& body, v1::OperatorAction& to);

model::McpCall get(const v1::McpCall& from);
model::McpTools get(const v1::McpTools& from);
model::Asset get(const v1::Asset& from);
Result<model::SocketClose> get(const v1::SocketClose& from);
model::NameSeen get(const v1::NameSeen& from);
model::TlsCoverage get(const v1::TlsCoverage& from);
model::FileAccess get(const v1::FileAccess& from);
model::Tamper get(const v1::Tamper& from);
model::Enforcement get(const v1::Enforcement& from);
model::ActionCall get(const v1::ActionCall& from);
model::OperatorAction get(const v1::OperatorAction& from);

}  // namespace aispm::report
