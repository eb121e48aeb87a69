// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

// How risky it is to let agents use an MCP server, from what it says of itself.
namespace aispm::policy {

struct ServerTool {
  std::string name;
  std::string texts;  // description and schemas: all that a model is told
};

struct ServerManifest {
  std::string name;
  std::string version;
  std::string publisher;
  std::string source;
  bool is_verified = false;
  std::vector<std::string> permissions;
  std::vector<ServerTool> tools;
};

enum class ScanWeight : std::uint8_t { kInfo, kLow, kMedium, kHigh, kCritical };
std::string_view name_of(ScanWeight weight);
unsigned points_of(ScanWeight weight);  // 1, 3, 8, 15, 30

struct ScanFinding {
  std::string rule;  // "UNVERIFIED"
  ScanWeight weight = ScanWeight::kInfo;
  std::string subject;  // tool or permission; empty: the server
};

enum class ScanVerdict : std::uint8_t { kAllow, kReview, kBlock };
std::string_view name_of(ScanVerdict verdict);

struct ScanReport {
  static constexpr unsigned kReviewAt = 40;
  static constexpr unsigned kBlockAt = 70;
  std::vector<ScanFinding> findings;
  unsigned points = 0;  // at most 100
  ScanVerdict verdict = ScanVerdict::kAllow;
};

// Pure. A tool whose texts hide something or speak about other tools is a finding whatever the
// points say: hidden letters block. Words that try to instruct a model are the detection engine's,
// which reads descriptions on their way to a model.
ScanReport scan_server(const ServerManifest& manifest);

}  // namespace aispm::policy
