// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <cstdint>
#include <functional>
#include <memory>
#include <string>
#include <vector>

#include "sdk/core/common/result.hpp"
#include "sdk/core/common/time.hpp"
#include "sdk/core/report/reporter.hpp"

namespace aispm::report {

enum class ApprovalKind : std::uint8_t { kApproval, kHuman };
enum class ApprovalState : std::uint8_t {
  kPending,
  kApproved,
  kDenied,
  kExpired,
  kUsed,
  kEscalated,
  kTakenOver
};
// Whether somebody may still answer.
constexpr bool is_open(ApprovalState state) {
  return state == ApprovalState::kPending || state == ApprovalState::kEscalated ||
         state == ApprovalState::kTakenOver;
}

// One action that a person is asked about.
struct Approval {
  std::string id;  // the collector's; empty in a question
  ApprovalKind kind = ApprovalKind::kApproval;
  ApprovalState state = ApprovalState::kPending;
  std::string agent_id;
  std::string session_id;
  std::string requester;
  std::string trace_id;
  std::string tool;
  std::string tool_provider;
  std::string digest;
  std::string arguments_text;  // without secrets
  std::string policy_id;
  std::string policy_version;
  std::string rule_id;
  std::string reason;
  std::string approver_role;
  double risk = 0;
  WallTime expires;
  std::string decided_by;
  std::string decision_reason;
  std::string result;  // of a person who took over
};

// Asks people through the collector (same certificate and state folder as a Reporter) and follows
// what they say. The last snapshot is kept on disk.
class ApprovalClient {
 public:
  // On a thread of the client or of gRPC; must not block.
  using Answer = std::function<void(Result<Approval>)>;
  // All that this gateway asked for and that is open or changed lately; on a thread of the client.
  using OnChange = std::function<void(std::vector<Approval>)>;

  static Result<std::unique_ptr<ApprovalClient>> open(const ReporterOptions& options,
                                                      OnChange on_change);
  virtual ~ApprovalClient() = default;

  // Any thread; never blocks. kUnavailable at once while there is no connection.
  virtual void request(const Approval& wanted, std::chrono::seconds valid, Answer answer) = 0;
  // Uses an approved one up: of all who ever ask only one gets it. kDenied: the others.
  virtual void use(const Approval& approval, Answer answer) = 0;
};

}  // namespace aispm::report
