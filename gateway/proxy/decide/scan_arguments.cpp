// SPDX-License-Identifier: Apache-2.0
#include "gateway/proxy/decide/scan_arguments.hpp"

#include "gateway/proxy/pipeline/text_judge.hpp"
#include "sdk/core/codec/json_tree.hpp"
#include "sdk/core/codec/jsonrpc.hpp"

namespace aispm::gateway {
namespace {

constexpr detect::Surface kSurface = detect::Surface::kToolArguments;

// Whether a rule denies them; else `changed` gets them without what rules cut out.
Result<bool> look_through(const ScanContext& context, std::string_view arguments,
                          Findings& findings, std::string& changed) {
  const detect::Outcomes& outcomes = context.tables->of_reply(kSurface);
  TextJudge judge(context, policy::Direction::kReply, findings);
  AISPM_TRY(const TextJudge::Judged judged,
            judge.judge(arguments, {.surface = kSurface, .outcomes = &outcomes}));
  if (judged.denied) return true;
  if (judged.redacts) {
    findings.redactions += judge.cut_out(arguments, changed);
    if (!is_still_json(arguments, changed))
      return fail(Errc::kDenied, "what is to be cut out cannot be cut out in place");
  }
  return scan_unescaped(context, arguments, kSurface, outcomes, findings,
                        policy::Direction::kReply);
}

}  // namespace

bool is_still_json(std::string_view before, std::string_view after) {
  codec::JsonTree tree;
  if (!tree.read(before, codec::kMaxRpcDepth)) return true;
  return tree.read(after, codec::kMaxRpcDepth).has_value();
}

ArgumentScan scan_arguments(const ScanContext& context, std::string_view arguments) {
  ArgumentScan scan;
  const auto denied = look_through(context, arguments, scan.findings, scan.changed);
  if (!denied && denied.error().code == Errc::kDenied) {
    scan.objection.emplace(std::string(scan.findings.verdict.rule_id), denied.error().message);
    return scan;
  }
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
