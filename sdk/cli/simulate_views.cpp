// SPDX-License-Identifier: Apache-2.0
#include <filesystem>
#include <ostream>

#include "sdk/cli/describe.hpp"
#include "sdk/cli/simulate.hpp"
#include "sdk/core/common/file.hpp"
#include "sdk/core/policy/replay.hpp"

namespace aispm::cli {
namespace {

using enum Table::Align;

constexpr int kExitStricter = 3;
constexpr int kExitLooser = 4;

std::string count(std::uint64_t value) { return std::to_string(value); }

void print_gaps(const v1::Simulation& report, const Output& output) {
  for (const auto& cause : report.not_judged())
    output.stream << count(cause.count()) << " not judged: " << safe(cause.reason()) << "\n";
  if (report.flips_left_out() > 0)
    output.stream << count(report.flips_left_out())
                  << " flips are not listed: there are too many kinds\n";
  if (report.not_looked_at() > 0)
    output.stream << count(report.not_looked_at())
                  << " older events were not looked at: a limit was reached\n";
}

}  // namespace

Result<> print_simulation(const v1::Simulation& report, const Output& output) {
  if (output.exit_status != nullptr)
    *output.exit_status = report.looser() > 0     ? kExitLooser
                          : report.stricter() > 0 ? kExitStricter
                                                  : 0;
  if (output.json) return print_json(report, output);
  output.stream << count(report.events()) << " decisions looked at: " << count(report.unchanged())
                << " stay, " << count(report.stricter()) << " become stricter, "
                << count(report.looser()) << " looser\n";
  print_gaps(report, output);
  Table table(
      {{"BEFORE"}, {"AFTER"}, {"COUNT", kRight}, {"RULE"}, {"AGENT"}, {"TOOL"}, {"FOR EXAMPLE"}});
  for (const auto& flip : report.flips()) {
    const bool is_looser = policy::harshness(policy::outcome_of(flip.after())) <
                           policy::harshness(policy::outcome_of(flip.before()));
    table.add({word(flip.before()),
               {word(flip.after()), is_looser ? Style::kWarn : Style::kBad},
               count(flip.count()),
               or_dash(flip.rule_id()),
               or_dash(flip.agent_id()),
               or_dash(flip.tool()),
               flip.event_ids().empty() ? "-" : flip.event_ids(0)});
  }
  output.stream << table.render(output.screen, "Nothing flips.\n");
  return {};
}

Result<> print_explanation(const v1::Explanation& explanation, const Output& output) {
  if (output.json) return print_json(explanation, output);
  const v1::Decision& decision = explanation.event().decision();
  const auto line = [&](std::string name, const std::string& value) {
    if (value.empty()) return;
    name.resize(12, ' ');
    output.stream << name << safe(value) << "\n";
  };
  line("what", describe(explanation.event()));
  line("agent", explanation.event().agent_id());
  line("outcome",
       word(decision.outcome()) + (decision.mode().empty() || decision.mode() == "enforce"
                                       ? ""
                                       : " (" + decision.mode() + ")"));
  line("rule", decision.rule_id());
  line("where", explanation.place());
  line("reason", decision.reason());
  const std::string number =
      explanation.policy_number() == 0 ? "" : "@" + count(explanation.policy_number());
  line("policy", explanation.policy_id().empty() ? "" : explanation.policy_id() + number);
  line("version", decision.policy_version());
  for (const std::string& held : explanation.held()) line("because", held);
  for (const std::string& other : explanation.otherwise()) line("otherwise", other);
  for (const std::string& gap : explanation.gaps()) line("note", gap);
  return {};
}

Result<> print_proposal(const v1::PolicyProposal& proposal, const std::string& out,
                        const Output& output) {
  if (!out.empty()) {
    std::error_code error;
    if (!std::filesystem::create_directory(out, error))
      return fail(Errc::kExists, out + ": is there already, or its parent is not");
    std::filesystem::permissions(out, std::filesystem::perms(0755), error);
    for (const v1::PolicyFile& file : proposal.files())
      AISPM_CHECK(write_file_atomically(out + "/" + file.path(), file.content(), 0644));
  }
  if (output.json) return print_json(proposal, output);
  output.stream << "# " << count(proposal.learned()) << " of " << count(proposal.events())
                << " actions were learned.\n";
  for (const auto& cause : proposal.left_out())
    output.stream << "# " << count(cause.count()) << " left out: " << safe(cause.reason()) << "\n";
  if (proposal.not_looked_at() > 0)
    output.stream << "# " << count(proposal.not_looked_at())
                  << " older events were not looked at.\n";
  const v1::Simulation& check = proposal.check();
  output.stream << "# Judged by this, of the same actions " << count(check.unchanged()) << " stay, "
                << count(check.stricter()) << " become stricter, " << count(check.looser())
                << " looser.\n";
  for (const v1::PolicyFile& file : proposal.files())
    output.stream << "# ---- " << file.path() << "\n" << (out.empty() ? file.content() : "");
  return {};
}

}  // namespace aispm::cli
