// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <array>
#include <chrono>
#include <cstdint>
#include <map>
#include <string>
#include <vector>

#include "sdk/core/common/secret.hpp"
#include "sdk/core/detect/inspect.hpp"

// What others may see and ask of this gateway beside exchanges (`observe:` and `scan:`).
namespace aispm::gateway {

// A policy that callers of the scan API may name (`scan: policies:`).
struct ScanPolicyConfig {
  static constexpr std::size_t kMaxPolicies = 64;
  std::string file;                  // as `policy`
  std::vector<std::string> tenants;  // globs: whose agents may name it; empty: everybody's
  std::array<bool, detect::kLayerCount> layers = {true, true, true};
  std::string where = {};  // `file:line` that names it
};

struct ScanConfig {
  bool record = true;  // each scan is an event, without its text
  static constexpr std::size_t kMaxBodyBytes = 4U << 20;
  std::size_t history = 10'000;  // scans that are remembered, all tenants together; 0: none
  std::map<std::string, ScanPolicyConfig, std::less<>> policies;
};

// Browsers' pages of other origins that may read replies. None: no page may.
struct CorsConfig {
  static constexpr std::size_t kMaxOrigins = 64;
  std::vector<std::string> origins;  // exact: "https://console.example.com"
  std::chrono::seconds max_age{600};
};

// Where spans and metrics go (OTLP over HTTP, protobuf).
struct OtlpConfig {
  std::string origin;  // "" = nowhere
  std::string path;    // before /v1/traces and /v1/metrics
  std::string ca_file;
  Secret key;  // a bearer token; "" = none
  bool allow_private = false;
  std::size_t queue = 4096;  // spans that wait, at most
  std::chrono::milliseconds interval{5'000};
  std::chrono::milliseconds timeout{10'000};  // of one delivery
};

// Sessions that are remembered, all tenants together (`observe: sessions:`).
struct SessionLogConfig {
  std::size_t sessions = 4096;  // 0: none
  std::size_t events = 10'000;  // of all of them
};

struct ObserveConfig {
  SessionLogConfig sessions;
  ScanConfig scan;
  CorsConfig cors;
  OtlpConfig otlp;
  bool tenant_header = false;   // requests without X-Tenant-ID are refused
  bool propagate_trace = true;  // providers are told trace and correlation id
};

// The operator's door on TCP (`admin: listen:`).
struct AdminPortConfig {
  static constexpr std::size_t kMinTokenBytes = 32;
  std::string listen;  // "" = none
  Secret token;        // who shows it is the operator
};

}  // namespace aispm::gateway
