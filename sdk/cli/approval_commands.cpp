// SPDX-License-Identifier: Apache-2.0
#include "sdk/cli/approval_commands.hpp"

#include <CLI/CLI.hpp>
#include <memory>

namespace aispm::cli {
namespace {

using Choose = std::function<void(std::function<Result<>(Client&, const Output&)>)>;

struct Words {
  std::string id, reason, role, result, person, agent;
  std::vector<std::string> roles;
  std::uint32_t seconds = 0;
  bool with_past = false;
};

void add_answer(CLI::App* group, const char* name, v1::ApprovalAnswer answer, const char* help,
                const Choose& choose) {
  auto* const command = group->add_subcommand(name, help);
  const auto words = std::make_shared<Words>();
  command->add_option("approval", words->id, "Its id, or the first digits")->required();
  auto* const reason = command->add_option("--reason", words->reason, "Kept with the answer");
  if (answer == v1::APPROVAL_ANSWER_DENY || answer == v1::APPROVAL_ANSWER_ESCALATE)
    reason->required();
  if (answer == v1::APPROVAL_ANSWER_ESCALATE)
    command->add_option("--to", words->role, "The role that is asked instead")->required();
  if (answer == v1::APPROVAL_ANSWER_FINISH)
    command->add_option("--result", words->result, "What the tool call is answered with")
        ->required();
  command->callback([words, answer, choose] {
    choose([words, answer](Client& client, const Output& output) {
      v1::DecideApprovalRequest request;
      request.set_answer(answer);
      request.set_reason(words->reason);
      request.set_role(words->role);
      request.set_result(words->result);
      return answer_approval(client, words->id, std::move(request), output);
    });
  });
}

void add_link(CLI::App* group, const Choose& choose) {
  auto* const link =
      group->add_subcommand("link", "Make a link with which one person answers once");
  const auto words = std::make_shared<Words>();
  link->add_option("approval", words->id, "Its id, or the first digits")->required();
  link->add_option("--person", words->person, "Whose link it is; stands in the record")->required();
  link->add_option("--role", words->roles, "Role in which the person answers; may be repeated");
  link->add_option("--valid-seconds", words->seconds, "0: as long as the approval waits")
      ->capture_default_str();
  link->callback([words, choose] {
    choose([words](Client& client, const Output& output) {
      v1::CreateApprovalLinkRequest request;
      request.set_person(words->person);
      request.mutable_roles()->Add(words->roles.begin(), words->roles.end());
      request.set_valid_seconds(words->seconds);
      return link_approval(client, words->id, std::move(request), output);
    });
  });
}

}  // namespace

void add_approval_commands(CLI::App& app, const Choose& choose) {
  auto* const group = app.add_subcommand("approval", "Actions of agents that wait for a person");
  group->require_subcommand(1);
  auto* const list = group->add_subcommand("list", "What waits, newest first");
  const auto words = std::make_shared<Words>();
  list->add_flag("--past", words->with_past, "Also what was answered or has expired");
  list->add_option("--agent", words->agent, "Only of this agent");
  list->callback([words, choose] {
    choose([words](Client& client, const Output& output) {
      return list_approvals(client, words->with_past, words->agent, 0, output);
    });
  });
  auto* const show = group->add_subcommand("show", "One of them with its arguments");
  show->add_option("approval", words->id, "Its id, or the first digits")->required();
  show->callback([words, choose] {
    choose([words](Client& client, const Output& output) {
      return show_approval(client, words->id, output);
    });
  });
  add_answer(group, "approve", v1::APPROVAL_ANSWER_APPROVE,
             "Let it happen, once and with just these arguments", choose);
  add_answer(group, "deny", v1::APPROVAL_ANSWER_DENY, "Refuse it", choose);
  add_answer(group, "escalate", v1::APPROVAL_ANSWER_ESCALATE, "Give it on to another role", choose);
  add_answer(group, "take-over", v1::APPROVAL_ANSWER_TAKE_OVER,
             "Act in the agent's place (for rules that say require_human)", choose);
  add_answer(group, "finish", v1::APPROVAL_ANSWER_FINISH, "Say what came of it, after taking over",
             choose);
  add_link(group, choose);
}

}  // namespace aispm::cli
