// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <deque>
#include <mutex>
#include <string>
#include <string_view>
#include <vector>

#include "sdk/core/common/result.hpp"
#include "sdk/core/common/time.hpp"
#include "sdk/core/model/event.hpp"

namespace aispm::gateway {

// What is remembered of one scan: never its text, nor what was found in it.
struct ScanRecord {
  static constexpr std::size_t kMaxThreats = 32;  // remembered of one scan

  struct Threat {
    std::string type;
    model::Severity severity = model::Severity::kUnspecified;
    double confidence = 0;
    std::string rule;
  };

  std::string id;
  WallTime time;
  std::string tenant;
  std::string agent;
  std::string session;
  bool is_output = false;
  std::string policy;  // as the caller named it
  std::string action;  // allow, warn, redact, block
  std::uint64_t latency_us = 0;
  std::uint64_t content_bytes = 0;
  std::vector<Threat> threats;
  std::uint64_t more_threats = 0;  // beyond kMaxThreats
};

// Which of them are asked for. Empty fields fit all.
struct ScanFilter {
  static constexpr std::size_t kMaxLimit = 500;
  // Who asks: an agent sees its own scans only; without one (the operator) those of everybody.
  std::optional<std::string> tenant;
  std::optional<std::string> agent;
  std::string action;
  std::string scan_type;  // "input", "output"
  std::string policy;
  std::string type;  // of a threat
  std::string rule;
  std::string severity;
  std::optional<WallTime> since;
  std::optional<WallTime> until;
  std::size_t offset = 0;
  std::size_t limit = 50;
};

// Reads `?limit=&offset=&action=...`. kInvalid names the parameter and what is allowed. `tenant`
// and `agent` may be asked for where `is_operator`.
Result<ScanFilter> read_scan_filter(std::string_view query, bool is_operator);

// The last scans of all tenants, newest first. Any thread.
class ScanHistory {
 public:
  explicit ScanHistory(std::size_t size) : size_(size) {}

  void add(ScanRecord record);
  // {"scans": [...], "total", "offset", "limit", "forgotten"}: `total` counts all that fit, however
  // many of them are on this page; `forgotten`, scans of all tenants that are not remembered any
  // more.
  std::string list_scans(const ScanFilter& filter) const;
  // The same of threats: one entry for each, with the scan that it was found in.
  std::string list_threats(const ScanFilter& filter) const;
  std::size_t size() const;

 private:
  const std::size_t size_;
  mutable std::mutex mutex_;
  std::deque<ScanRecord> records_;  // newest at the front
  std::uint64_t forgotten_ = 0;
};

}  // namespace aispm::gateway
