// SPDX-License-Identifier: Apache-2.0
#include "gateway/collector/api/approval_page.hpp"

#include <cstdio>
#include <optional>

#include "gateway/collector/api/routes.hpp"
#include "gateway/collector/store/approval_links.hpp"
#include "sdk/core/common/log.hpp"
#include "sdk/core/common/utf8.hpp"

namespace aispm::collector::api {

namespace pb = aispm::v1;

namespace {

std::string escaped(std::string_view text) {
  std::string out;
  for (const char c : text) {
    switch (c) {
      case '&':
        out += "&amp;";
        break;
      case '<':
        out += "&lt;";
        break;
      case '>':
        out += "&gt;";
        break;
      case '"':
        out += "&quot;";
        break;
      case '\'':
        out += "&#39;";
        break;
      default:
        out.push_back(c);
    }
  }
  return out;
}

std::string page(std::string_view title, const std::string& body) {
  return "<!doctype html><html lang=\"en\"><head><meta charset=\"utf-8\">"
         "<meta name=\"viewport\" content=\"width=device-width\"><meta name=\"robots\" "
         "content=\"noindex\"><title>AISPM: " +
         std::string(title) +
         "</title><style>body{font:16px/1.5 system-ui,sans-serif;max-width:46rem;margin:2rem "
         "auto;padding:0 1rem;color:#17202a}dt{font-weight:600;margin-top:.6rem}dd{margin:0}"
         "pre{background:#f2f4f6;padding:.8rem;white-space:pre-wrap;overflow-wrap:anywhere}"
         "button{font:inherit;padding:.5rem "
         "1.2rem;margin-right:.6rem}input{font:inherit;width:100%;"
         "box-sizing:border-box;padding:.4rem;margin:.4rem 0 1rem}</style></head><body><h1>" +
         escaped(title) + "</h1>" + body + "</body></html>";
}

Page refuse(const Error& error) {
  const bool is_gone = error.code == Errc::kNotFound;
  const int status = is_gone ? 404 : error.code == Errc::kDenied ? 403 : 400;
  return {status, page(is_gone ? "This link is not valid" : "This cannot be done",
                       "<p>" + escaped(error.message) + "</p>")};
}

std::string row(std::string_view name, std::string_view value) {
  if (value.empty()) return {};
  return "<dt>" + std::string(name) + "</dt><dd>" + escaped(value) + "</dd>";
}

std::string describe(const pb::Approval& approval) {
  char risk[32];
  std::snprintf(risk, sizeof risk, "%.2f", approval.risk());
  std::string html = "<dl>" + row("Tool", approval.tool()) + row("Agent", approval.agent_id()) +
                     row("Asked for by", approval.requester()) +
                     row("Why somebody is asked", approval.reason()) +
                     row("Rule", approval.rule_id()) +
                     row("Answered by", approval.approver_role()) + row("Risk", risk) + "</dl>";
  return html + "<h2>Arguments</h2><pre>" + escaped(approval.arguments_text()) + "</pre>";
}

// One field of a form; nothing when it is absent or broken.
std::optional<std::string> field(std::string_view form, std::string_view name) {
  while (!form.empty()) {
    const auto end = std::min(form.find('&'), form.size());
    const std::string_view pair = form.substr(0, end);
    form.remove_prefix(std::min(end + 1, form.size()));
    const auto equals = pair.find('=');
    if (equals == std::string_view::npos || pair.substr(0, equals) != name) continue;
    return decode_percent(pair.substr(equals + 1), true);
  }
  return std::nullopt;
}

}  // namespace

Page show_approval(Desk& desk, const Approvals& approvals, std::string_view token, WallTime now) {
  const auto shown = store::ApprovalLinks(desk.database, approvals.link_key).open(token, now);
  if (!shown) return refuse(shown.error());
  if (!store::is_open(shown->approval.state()))
    return {200, page("This was answered already",
                      "<p>It is " + store::name_of(shown->approval.state()) + ".</p>")};
  return {200,
          page("May this be done?",
               "<p>You answer as <b>" + escaped(shown->who.person) + "</b>.</p>" +
                   describe(shown->approval) +
                   "<form method=\"post\"><label for=\"reason\">Reason</label><input id=\"reason\" "
                   "name=\"reason\" maxlength=\"1000\"><button name=\"decision\" "
                   "value=\"approve\">Approve</button><button name=\"decision\" "
                   "value=\"deny\">Deny</button></form>")};
}

Page answer_approval(Desk& desk, Approvals& approvals, std::string_view token,
                     std::string_view form, WallTime now) {
  if (form.size() > kMaxFormBytes) return refuse({Errc::kTooLarge, "the form is too long", 0});
  const std::string decision = field(form, "decision").value_or("");
  pb::DecideApprovalRequest request;
  if (decision == "approve") request.set_answer(pb::APPROVAL_ANSWER_APPROVE);
  if (decision == "deny") request.set_answer(pb::APPROVAL_ANSWER_DENY);
  request.set_reason(to_utf8(field(form, "reason").value_or("")));
  const auto decided = store::ApprovalLinks(desk.database, approvals.link_key)
                           .answer(token, std::move(request), now);
  if (!decided) return refuse(decided.error());
  log::info("approval.answered", {{"approval", decided->id()},
                                  {"state", store::name_of(decided->state())},
                                  {"by", decided->decided_by()}});
  approvals.changes.announce();
  if (approvals.wake_audit) approvals.wake_audit();
  return {200, page("Thank you", "<p>The action is " + store::name_of(decided->state()) +
                                     ". You can close this page.</p>")};
}

}  // namespace aispm::collector::api
