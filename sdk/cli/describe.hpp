// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <cstdint>
#include <string>
#include <string_view>

#include "aispm/v1/event.pb.h"
#include "sdk/cli/text.hpp"
#include "sdk/core/common/time.hpp"

// Events in the words of people. Nothing here is made safe for a terminal yet: Table and story do
// that.
namespace aispm::cli {

WallTime wall_of(const google::protobuf::Timestamp& time);
// "2026-11-21 04:05:06" in UTC; "-" when absent.
std::string time_text(const google::protobuf::Timestamp& time);
// "12 s ago", "3 min ago", "2 h ago", "5 d ago"; "-" when absent.
std::string age_text(const google::protobuf::Timestamp& time, WallTime now);
// "870 us", "12 ms", "1.2 s", "3 min 4 s"
std::string duration_text(std::uint64_t microseconds);
// "512 B", "1.4 MiB"
std::string size_text(std::uint64_t bytes);

// Name of the body field, e.g. "llm_call"; "" without a body.
std::string kind_of(const v1::Event& event);
// Lower-case words as in YAML: "deny", "high", "connect".
std::string word(v1::Decision::Outcome outcome);
std::string word(v1::Severity severity);
std::string word(v1::SandboxDenial::Kind kind);
std::string word(v1::Source source);

// Who: the agent, else the process as "comm[pid]", else the host.
std::string actor_of(const v1::Event& event);
// What happened, in one line.
std::string describe(const v1::Event& event);
// As describe(), for what the sensor says about a host beyond processes and sockets; "" for others.
std::string describe_host(const v1::Event& event);
// "deny secret.aws_access_key" or "2 detections" or "".
std::string verdict_of(const v1::Event& event);
Style verdict_style(const v1::Event& event);

}  // namespace aispm::cli
