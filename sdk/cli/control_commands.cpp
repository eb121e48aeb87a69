// SPDX-License-Identifier: Apache-2.0
#include "sdk/cli/control_commands.hpp"

#include <memory>

#include "sdk/cli/freezes.hpp"
#include "sdk/cli/policies.hpp"

namespace aispm::cli {
namespace {

using Choose = std::function<void(Action)>;

// What one command line says; lives as long as its subcommand.
struct Words {
  std::string id, folder, comment, agent, stage, reason, out;
  ScopeWords scope;
  std::uint64_t version = 0, from = 0, to = 0;
  bool is_forced = false, with_deprecated = false;
};
using Do = std::function<Result<>(Client&, const Words&, const Output&)>;

struct Command {
  CLI::App* app;
  std::shared_ptr<Words> words;
};

Command add(CLI::App* parent, const Choose& choose, const char* name, const char* help, Do action) {
  auto* const command = parent->add_subcommand(name, help);
  const auto words = std::make_shared<Words>();
  command->callback([choose, words, action = std::move(action)] {
    choose([words, action](Client& client, const Output& output) {
      return action(client, *words, output);
    });
  });
  return {command, words};
}

void add_id(const Command& command) {
  command.app->add_option("policy", command.words->id, "Id of the policy")->required();
}
void add_reason(const Command& command) {
  command.app->add_option("--reason", command.words->reason, "Why; kept with who and when")
      ->required();
}
void add_scope(const Command& command) {
  ScopeWords& scope = command.words->scope;
  command.app->add_option("--agent", scope.agents, "Agent or glob; may be repeated");
  command.app->add_option("--tenant", scope.tenants, "Tenant; may be repeated");
  command.app->add_option("--host", scope.hosts, "Host id; may be repeated");
  command.app
      ->add_option("--priority", scope.priority, "Of several that fit the lowest number decides")
      ->check(CLI::Range(0, 1000));
}

void add_policy_reading(CLI::App* policy, const Choose& choose) {
  const Command list = add(policy, choose, "list", "Policies of the collector",
                           [](Client& c, const Words& w, const Output& o) {
                             return list_policies(c, w.agent, w.with_deprecated, o);
                           });
  list.app->add_option("--agent", list.words->agent, "Only those that would reach this agent");
  list.app->add_flag("--deprecated", list.words->with_deprecated, "Deprecated ones too");
  const Command show = add(policy, choose, "show", "A policy with the files of a version",
                           [](Client& c, const Words& w, const Output& o) {
                             return show_policy(c, w.id, w.version, w.out, o);
                           });
  add_id(show);
  show.app->add_option("--version", show.words->version, "The newest when left out");
  show.app->add_option("--out", show.words->out,
                       "New folder for its files, such as the registry for `decide --registry`");
  add_id(add(policy, choose, "versions", "All versions, with who made them",
             [](Client& c, const Words& w, const Output& o) { return list_versions(c, w.id, o); }));
  const Command diff = add(policy, choose, "diff", "What changed between two versions",
                           [](Client& c, const Words& w, const Output& o) {
                             return diff_versions(c, w.id, w.from, w.to, o);
                           });
  add_id(diff);
  diff.app->add_option("from", diff.words->from, "The version in force when left out");
  diff.app->add_option("to", diff.words->to, "The newest when left out");
  add_id(add(policy, choose, "hosts", "What each host makes of it",
             [](Client& c, const Words& w, const Output& o) { return show_hosts(c, w.id, o); }));
}

void add_policy_changing(CLI::App* policy, const Choose& choose) {
  const Command push =
      add(policy, choose, "push",
          "Keep a bundle in the collector as a new version; changes nothing in force",
          [](Client& c, const Words& w, const Output& o) {
            return push_policy(c, w.id, w.folder, w.comment, w.scope, o);
          });
  add_id(push);
  push.app->add_option("bundle", push.words->folder, "Folder of the bundle")->required();
  push.app->add_option("--comment", push.words->comment, "For people: what is new");
  add_scope(push);
  const Command restore = add(policy, choose, "restore", "Make an old version the newest",
                              [](Client& c, const Words& w, const Output& o) {
                                return restore_version(c, w.id, w.version, w.reason, o);
                              });
  add_id(restore);
  restore.app->add_option("version", restore.words->version, "Which")->required();
  add_reason(restore);
  const Command promote = add(
      policy, choose, "promote",
      "draft -> monitor -> enforced -> deprecated (for good); enforced -> monitor ends enforcing. "
      "With --version monitor puts another version beside the enforced one",
      [](Client& c, const Words& w, const Output& o) -> Result<> {
        v1::PromotePolicyRequest request;
        request.set_policy_id(w.id);
        AISPM_TRY(const v1::PolicyStage stage, parse_stage(w.stage));
        request.set_stage(stage);
        request.set_version(w.version);
        request.set_reason(w.reason);
        request.set_force(w.is_forced);
        return promote_policy(c, request, o);
      });
  add_id(promote);
  promote.app->add_option("stage", promote.words->stage, "draft, monitor, enforced or deprecated")
      ->required();
  promote.app->add_option("--version", promote.words->version, "Which version");
  promote.app->add_flag("--force", promote.words->is_forced,
                        "Enforce although not every connected gateway has this version yet");
  add_reason(promote);
  const Command scope = add(policy, choose, "scope", "Whom a policy is for, all at once",
                            [](Client& c, const Words& w, const Output& o) {
                              return set_scope(c, w.id, w.scope, w.reason, o);
                            });
  add_id(scope);
  add_scope(scope);
  add_reason(scope);
}

void add_freezing(CLI::App& app, const Choose& choose) {
  struct FreezeWords {
    std::string scope, value, reason, valid_for;
    bool kills = false;
  };
  auto* const freeze = app.add_subcommand(
      "freeze",
      "Stop an agent, session, user, model, tenant or everybody at once, in gateways, sandboxes "
      "and kernels");
  const auto words = std::make_shared<FreezeWords>();
  freeze->add_option("scope", words->scope, "agent, session, user, model, tenant or all")
      ->required();
  freeze->add_option("name", words->value, "Whom; agents and models may be globs");
  freeze->add_option("--reason", words->reason, "Why; the agent is told")->required();
  freeze->add_option("--for", words->valid_for, "Ends by itself: 30s, 10m, 8h, 7d");
  freeze->add_flag("--kill", words->kills, "End what runs as well (the kill switch)");
  freeze->callback([choose, words] {
    choose([words](Client& client, const Output& output) -> Result<> {
      AISPM_TRY(const std::uint32_t seconds, parse_span(words->valid_for));
      AISPM_TRY(const auto request,
                freeze_request(words->scope, words->value, words->kills, words->reason, seconds));
      return create_freeze(client, request, output);
    });
  });
  const Command lift = add(
      &app, choose, "unfreeze", "Lift a freeze, at once",
      [](Client& c, const Words& w, const Output& o) { return lift_freeze(c, w.id, w.reason, o); });
  lift.app->add_option("freeze", lift.words->id, "First digits of its id, or the frozen name")
      ->required();
  add_reason(lift);
  const Command list = add(&app, choose, "freezes", "Who is frozen, and where that is in force",
                           [](Client& c, const Words& w, const Output& o) {
                             return list_freezes(c, w.with_deprecated, o);
                           });
  list.app->add_flag("--past", list.words->with_deprecated, "Lifted and expired ones too");
}

}  // namespace

Result<std::uint32_t> parse_span(const std::string& text) {
  if (text.empty()) return std::uint32_t{0};
  const std::string digits = text.substr(0, text.size() - 1);
  const std::uint64_t unit = text.back() == 's'   ? 1
                             : text.back() == 'm' ? 60
                             : text.back() == 'h' ? 3600
                             : text.back() == 'd' ? 86400
                                                  : 0;
  if (unit == 0 || digits.empty() || digits.size() > 8 ||
      digits.find_first_not_of("0123456789") != std::string::npos ||
      std::stoull(digits) * unit == 0 || std::stoull(digits) * unit > 366ULL * 86400)
    return fail(Errc::kInvalid, "--for " + text + ": allowed is 30s, 10m, 8h, 7d, up to 366d");
  return static_cast<std::uint32_t>(std::stoull(digits) * unit);
}

void add_control_commands(CLI::App& app, const Choose& choose) {
  CLI::App* const policy = app.get_subcommand("policy");
  add_policy_reading(policy, choose);
  add_policy_changing(policy, choose);
  add_freezing(app, choose);
}

}  // namespace aispm::cli
