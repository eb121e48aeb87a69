// SPDX-License-Identifier: Apache-2.0
#include "sdk/cli/approvals.hpp"

#include "sdk/cli/describe.hpp"

namespace aispm::cli {
namespace {

using Stub = v1::Operator::Stub;

constexpr std::size_t kShortId = 13;  // ids sort by time: shorter ones are not unique

Cell state_of(const v1::Approval& approval) {
  switch (approval.state()) {
    case v1::APPROVAL_STATE_PENDING:
      return {"waits", Style::kWarn};
    case v1::APPROVAL_STATE_ESCALATED:
      return {"waits (escalated)", Style::kWarn};
    case v1::APPROVAL_STATE_TAKEN_OVER:
      return {"taken over by " + approval.decided_by(), Style::kWarn};
    case v1::APPROVAL_STATE_APPROVED:
      return {"approved by " + approval.decided_by(), Style::kGood};
    case v1::APPROVAL_STATE_USED:
      return {"used", Style::kDim};
    case v1::APPROVAL_STATE_DENIED:
      return {"denied by " + approval.decided_by(), Style::kBad};
    case v1::APPROVAL_STATE_EXPIRED:
      return {"expired", Style::kDim};
    default:
      return {"?", Style::kPlain};
  }
}

Result<v1::ApprovalList> fetch(Client& client, bool with_past, const std::string& agent,
                               std::size_t limit) {
  v1::ListApprovalsRequest request;
  request.set_with_past(with_past);
  request.set_agent_id(agent);
  return client.list(&Stub::ListApprovals, request, &v1::ApprovalList::approvals_size, limit);
}

Result<std::string> whole_id(Client& client, const std::string& id) {
  constexpr std::size_t kMinDigits = 8;  // as lists show them
  if (id.size() >= 36) return id;
  if (id.size() < kMinDigits)
    return fail(Errc::kInvalid, "an approval's id has at least 8 digits: `aispm approval list`");
  AISPM_TRY(const v1::ApprovalList list, fetch(client, true, "", 1000));
  std::string found;
  for (const v1::Approval& approval : list.approvals()) {
    if (!approval.id().starts_with(id)) continue;
    if (!found.empty()) return fail(Errc::kInvalid, "more than one approval starts with " + id);
    found = approval.id();
  }
  if (found.empty()) return fail(Errc::kNotFound, "no approval has the id " + id);
  return found;
}

void print_line(const Output& output, const char* name, const std::string& value) {
  if (!value.empty()) output.stream << name << safe(value) << "\n";
}

Result<> print(const v1::Approval& approval, const Output& output) {
  if (output.json) return print_json(approval, output);
  const Cell state = state_of(approval);
  output.stream << "Approval   " << safe(approval.id()) << "  "
                << paint(safe(state.text), state.style, output.screen.colours) << "\n";
  const bool is_human = approval.kind() == v1::APPROVAL_KIND_HUMAN;
  print_line(output, "Needs      ", is_human ? "a person who takes over" : "a yes or no");
  print_line(output, "Tool       ", approval.tool());
  print_line(output, "Agent      ", approval.agent_id());
  print_line(output, "Session    ", approval.session_id());
  print_line(output, "Asked by   ", approval.requester());
  print_line(output, "Rule       ", approval.rule_id() + ": " + approval.reason());
  print_line(output, "Policy     ", approval.policy_id() + " " + approval.policy_version());
  print_line(output, "Role       ", approval.approver_role());
  print_line(output, "Risk       ", std::to_string(approval.risk()).substr(0, 4));
  print_line(output, "Expires    ", time_text(approval.expires()));
  print_line(output, "Arguments  ", approval.arguments_text());
  print_line(output, "Answered   ",
             approval.decided_by().empty()
                 ? ""
                 : approval.decided_by() + " " + approval.decision_reason());
  print_line(output, "Result     ", approval.result());
  return {};
}

}  // namespace

Result<> list_approvals(Client& client, bool with_past, const std::string& agent, std::size_t limit,
                        const Output& output) {
  AISPM_TRY(const v1::ApprovalList list, fetch(client, with_past, agent, limit));
  if (output.json) return print_json(list, output);
  Table table({{"APPROVAL"}, {"TOOL"}, {"AGENT"}, {"RULE"}, {"ROLE"}, {"STATE"}, {"ASKED"}});
  for (const v1::Approval& approval : list.approvals())
    table.add({approval.id().substr(0, kShortId), approval.tool(), approval.agent_id(),
               approval.rule_id(),
               approval.approver_role().empty() ? "any operator" : approval.approver_role(),
               state_of(approval), age_text(approval.created(), output.now)});
  output.stream << table.render(output.screen, "Nothing waits for a person.");
  return {};
}

Result<> show_approval(Client& client, const std::string& id, const Output& output) {
  v1::GetApprovalRequest request;
  AISPM_TRY(*request.mutable_approval_id(), whole_id(client, id));
  AISPM_TRY(const v1::Approval approval, client.call(&Stub::GetApproval, request));
  return print(approval, output);
}

Result<> answer_approval(Client& client, const std::string& id, v1::DecideApprovalRequest request,
                         const Output& output) {
  AISPM_TRY(*request.mutable_approval_id(), whole_id(client, id));
  AISPM_TRY(const v1::Approval approval, client.call(&Stub::DecideApproval, request));
  return print(approval, output);
}

Result<> link_approval(Client& client, const std::string& id, v1::CreateApprovalLinkRequest request,
                       const Output& output) {
  AISPM_TRY(*request.mutable_approval_id(), whole_id(client, id));
  AISPM_TRY(const v1::ApprovalLink link, client.call(&Stub::CreateApprovalLink, request));
  if (output.json) return print_json(link, output);
  output.stream << safe(link.path()) << "\n";
  return {};
}

}  // namespace aispm::cli
