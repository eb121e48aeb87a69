// SPDX-License-Identifier: Apache-2.0
#include "sdk/cli/registry_commands.hpp"

#include <memory>

#include "sdk/cli/control_commands.hpp"
#include "sdk/cli/registered.hpp"

namespace aispm::cli {
namespace {

using Choose = std::function<void(Action)>;
using Do = std::function<Result<>(Client&, const AgentWords&, const Output&)>;

struct Command {
  CLI::App* app;
  std::shared_ptr<AgentWords> words;
};

Command add(CLI::App& agent, const Choose& choose, const char* name, const char* help, Do action) {
  auto* const command = agent.add_subcommand(name, help);
  const auto words = std::make_shared<AgentWords>();
  command->callback([choose, words, action = std::move(action)] {
    choose([words, action](Client& client, const Output& output) {
      return action(client, *words, output);
    });
  });
  return {command, words};
}

void add_name(const Command& command) {
  command.app->add_option("agent", command.words->agent, "Id of the agent")->required();
}
void add_reason(const Command& command) {
  command.app->add_option("--reason", command.words->reason, "Why; kept with who and when")
      ->required();
}

void add_register(CLI::App& agent, const Choose& choose) {
  struct Spans {
    std::string valid, attested;
  };
  const auto spans = std::make_shared<Spans>();
  const Command command =
      add(agent, choose, "register",
          "Put an agent with its rights on record, or change them; in force on all gateways",
          [spans](Client& c, const AgentWords& w, const Output& o) -> Result<> {
            AgentWords words = w;
            AISPM_TRY(words.valid_seconds, parse_span(spans->valid));
            AISPM_TRY(words.attested_seconds, parse_span(spans->attested));
            return register_agent(c, words, o);
          });
  add_name(command);
  AgentWords& words = *command.words;
  command.app->add_option("--trust", words.trust,
                          "untrusted, basic, verified, privileged or system");
  command.app->add_option("--role", words.roles, "Role; may be repeated");
  command.app->add_option("--scope", words.scopes, "Scope such as gmail:read; may be repeated");
  command.app->add_option("--type", words.type, "What it is for: support, coding");
  command.app->add_option("--environment", words.environment, "prod, test");
  command.app->add_option("--owner", words.owner, "Whom to ask about it");
  command.app->add_option("--expires-in", spans->valid,
                          "From then on it is refused: 30d; never when left out");
  command.app->add_option("--attested-for", spans->attested,
                          "How long somebody vouches for how it is built: 90d");
  command.app->add_option("--key-file", words.key_file,
                          "Public key (PEM) that signs the tasks it hands on");
  command.app->add_flag("--only-delegated", words.only_delegated,
                        "Acts only for somebody who handed it the task");
  add_reason(command);
}

}  // namespace

void add_registered_agents(CLI::App& agent, const Choose& choose) {
  const Command list =
      add(agent, choose, "list", "Agents that were seen or registered, with state and trust",
          [](Client& c, const AgentWords& w, const Output& o) {
            return list_registered_agents(c, w, o);
          });
  list.app->add_option("--state", list.words->state, "approved, blocked, expired or undecided");
  list.app->add_option("--query", list.words->query, "Only ids that contain this");
  list.app->add_flag("--undeclared", list.words->is_undeclared, "Only those nobody registered");
  add_name(add(agent, choose, "show", "An agent: rights, trust score with its parts, history",
               [](Client& c, const AgentWords& w, const Output& o) {
                 return show_registered_agent(c, w, o);
               }));
  add_register(agent, choose);
  struct Decision {
    const char* name;
    const char* state;
    const char* help;
  };
  for (const Decision& one :
       {Decision{"approve", "approved", "Say that an agent is known; ends a block"},
        Decision{"block", "blocked", "Refuse all that an agent wants, on all gateways"},
        Decision{"forget", "undecided", "Take away what is on record of an agent"}}) {
    const std::string state = one.state;
    const Command command = add(agent, choose, one.name, one.help,
                                [state](Client& c, const AgentWords& w, const Output& o) {
                                  return decide_registered_agent(c, w, state, o);
                                });
    add_name(command);
    add_reason(command);
  }
}

}  // namespace aispm::cli
