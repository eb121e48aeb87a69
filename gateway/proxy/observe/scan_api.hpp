// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <string>
#include <string_view>

#include "gateway/proxy/observe/scan_history.hpp"
#include "gateway/proxy/pipeline/screen.hpp"

// POST /api/v1/scan/input and /api/v1/scan/output: what policy would do with a text.
namespace aispm::gateway {

inline constexpr std::size_t kMaxScanBodyBytes = 4U << 20;

struct ScanQuestion {
  ScreenText item;
  std::string policy;  // "" = what decides about this agent's exchanges
  std::string session;
  std::string provider;  // policy may look at both
  std::string model;
};

// {"content": "...", "context": {"surface", "session_id", "provider", "model"}, "policy_id":
// "..."}. kInvalid and kTooLarge say what is wrong.
Result<ScanQuestion> read_scan(std::string_view body, bool is_output);

struct ScanOutcome {
  ScanRecord record;  // id, time and who asked are the caller's to fill in before
  std::string body;   // what is answered
  std::string rule;   // by which it is so
  std::vector<model::Detection> detections;
};

// What a policy bundle says where it does not let a text pass.
struct BundleWord {
  std::string rule;
  std::string reason;
};

// The answer: `action` is what policy does with such a text: allow, warn (something was found that
// it lets pass), redact (`content` is the text without it) or block. What could not be judged is
// blocked where policy fails closed, as is what should be redacted and cannot be cut out, and what
// the bundle (`word`; null: it says nothing) does not let pass.
ScanOutcome describe_scan(const ScanContext& context, const ScanQuestion& question,
                          Screened screened, const ScreenOpinions& opinions, ScanRecord record,
                          std::chrono::steady_clock::time_point started,
                          const BundleWord* word = nullptr);

// The record of a scan among the events: an action_call of tool `scan.input` or `scan.output`,
// without the text. Host, trace and span are the caller's to fill in.
model::Event scan_event(const ScanRecord& record, const ScanContext& context, std::string_view text,
                        std::vector<model::Detection> detections, std::string_view rule);

}  // namespace aispm::gateway
