// SPDX-License-Identifier: Apache-2.0
#include "gateway/proxy/decide/scan_arguments.hpp"

#include "gateway/proxy/pipeline/text_judge.hpp"

namespace aispm::gateway {
namespace {

constexpr detect::Surface kSurface = detect::Surface::kToolArguments;

// Whether a rule denies them.
Result<bool> look_through(const ScanContext& context, std::string_view arguments,
                          Findings& findings) {
  const detect::Outcomes& outcomes = context.tables->of_reply(kSurface);
  TextJudge judge(context, policy::Direction::kReply, findings);
  AISPM_TRY(const TextJudge::Judged judged,
            judge.judge(arguments, {.surface = kSurface, .outcomes = &outcomes}));
  if (judged.denied) return true;
  return scan_unescaped(context, arguments, kSurface, outcomes, findings,
                        policy::Direction::kReply);
}

}  // namespace

ArgumentScan scan_arguments(const ScanContext& context, std::string_view arguments) {
  ArgumentScan scan;
  const auto denied = look_through(context, arguments, scan.findings);
  if (denied && *denied) {
    scan.objection.emplace(std::string(scan.findings.verdict.rule_id),
                           std::string(scan.findings.verdict.reason));
    return scan;
  }
  scan.is_unscannable = !denied || scan.findings.cut > 0;
  if (scan.is_unscannable && context.book->policy->fail_closed())
    scan.objection.emplace(std::string(kUnscannableRule),
                           "the arguments could not be scanned: " +
                               (denied ? "there was not time enough to look through all of them"
                                       : denied.error().message));
  return scan;
}

}  // namespace aispm::gateway
