// SPDX-License-Identifier: Apache-2.0
#include <CLI/CLI.hpp>
#include <memory>

#include "sdk/cli/registered.hpp"
#include "sdk/cli/tools.hpp"

namespace aispm::cli {
namespace {

constexpr const char* kList = "JSON file with the server's tools/list, - for standard input";

// One command line. With a bundle it is about the bundle's files, else about the collector.
struct Words {
  ToolReview review;
  ToolWords tool;
  std::string first, second;  // as given: a tool, or a bundle and something
};

struct Adder {
  CLI::App* parent;
  std::function<void(LocalAction)> choose_local;
  std::function<void(Action)> choose;

  using Local = std::function<Result<>(const Words&, const Output&)>;
  using Remote = std::function<Result<>(Client&, const Words&, const Output&)>;

  // `is_local` is asked when the command line has been read.
  std::pair<CLI::App*, std::shared_ptr<Words>> add(const char* name, const char* help,
                                                   std::function<bool(const Words&)> is_local,
                                                   Local local, Remote remote) const {
    auto* const command = parent->add_subcommand(name, help);
    const auto words = std::make_shared<Words>();
    command->callback([*this, words, is_local = std::move(is_local), local = std::move(local),
                       remote = std::move(remote)] {
      if (is_local(*words))
        choose_local([words, local](const Output& output) { return local(*words, output); });
      else
        choose([words, remote](Client& client, const Output& output) {
          return remote(client, *words, output);
        });
    });
    return {command, words};
  }
};

void add_facts(CLI::App* command, ToolWords& words) {
  command->add_option("--version", words.version, "That it must have");
  command->add_option("--publisher", words.publisher, "Who makes it");
  command->add_option("--source", words.source, "Where it comes from");
  command->add_option("--sha256", words.sha256, "Of its source or binary");
  command->add_option("--permission", words.permissions, "What it may do; may be repeated");
  command->add_option("--risk", words.risk, "low, medium, high or critical");
  command->add_option("--scope", words.scope, "That an agent must have to call it");
  command
      ->add_option("--posture-below", words.posture_below,
                   "Only below this risk of a request, 0 to 2")
      ->check(CLI::Range(0.0, 2.0));
  command->add_option("--owner", words.owner, "Whom to ask about it");
  command->add_flag("--verified", words.is_verified, "Somebody has looked at it");
}

void add_local_scan(const Adder& adder) {
  const auto [scan, words] = adder.add(
      "scan", "How risky a server is, and with --bundle what the bundle says of its tools",
      [](const Words&) { return true; },
      [](const Words& w, const Output& o) { return scan_tools(w.review.list, w.review.bundle, o); },
      {});
  scan->add_option("file", words->review.list, kList)->required();
  scan->add_option("--bundle", words->review.bundle, "Folder of the bundle");
}

void add_reading(const Adder& adder) {
  const auto [list, words] = adder.add(
      "list", "Tools that were seen or registered; with a bundle: those that it registers",
      [](const Words& w) { return !w.first.empty(); },
      [](const Words& w, const Output& o) { return list_tools(w.first, o); },
      [](Client& c, const Words& w, const Output& o) {
        return list_registered_tools(c, w.tool, o);
      });
  list->add_option("bundle", words->first, "Folder of a bundle, instead of the collector");
  list->add_option("--state", words->tool.state, "undecided, approved, changed or blocked");
  list->add_option("--query", words->tool.query, "Only tools or servers whose name contains this");
  const auto [show, shown] = adder.add(
      "show", "A tool: definitions that were seen, which are approved, history",
      [](const Words&) { return false; }, {},
      [](Client& c, const Words& w, const Output& o) {
        return show_registered_tool(c, w.tool, o);
      });
  show->add_option("tool", shown->tool.tool, "Name, or id as `list` shows it")->required();
  show->add_option("--provider", shown->tool.provider, "MCP server");
}

void add_approve(const Adder& adder) {
  const auto [approve, words] = adder.add(
      "approve",
      "approve TOOL: the definition that was seen, on all gateways. approve BUNDLE FILE: pin the "
      "definitions of a list in the bundle's pins.yaml",
      [](const Words& w) { return !w.second.empty(); },
      [](const Words& w, const Output& o) {
        ToolReview review = w.review;
        review.bundle = w.first;
        review.list = w.second;
        review.provider = w.tool.provider;
        review.reason = w.tool.reason;
        review.only = w.tool.only;
        return approve_tool(review, o);
      },
      [](Client& c, const Words& w, const Output& o) {
        ToolWords tool = w.tool;
        tool.tool = w.first;
        return approve_registered_tool(c, tool, o);
      });
  approve->add_option("tool", words->first, "Name or id of a tool; or folder of a bundle")
      ->required();
  approve->add_option("file", words->second, std::string("With a bundle: ") + kList);
  approve->add_option("--tool", words->review.tool, "With a bundle: this tool only");
  approve->add_flag("--only", words->tool.only, "Forget what was approved of it before");
  approve->add_option("--provider", words->tool.provider, "MCP server; any when left out");
  approve->add_option("--description", words->tool.description,
                      "Which definition: the first digits of this hash");
  approve->add_option("--schema", words->tool.schema, "And of this one");
  approve->add_flag("--any", words->tool.any, "Whatever it says of itself: nothing is pinned");
  approve->add_option("--reason", words->tool.reason, "Why; kept with who and when");
}

void add_block(const Adder& adder) {
  const auto [block, words] = adder.add(
      "block",
      "block TOOL: refuse it on all gateways. block BUNDLE TOOL: deny it in the bundle's pins.yaml",
      [](const Words& w) { return !w.second.empty(); },
      [](const Words& w, const Output& o) {
        ToolReview review = w.review;
        review.bundle = w.first;
        review.tool = w.second;
        review.provider = w.tool.provider;
        review.reason = w.tool.reason;
        return block_tool(review, o);
      },
      [](Client& c, const Words& w, const Output& o) {
        ToolWords tool = w.tool;
        tool.tool = w.first;
        return decide_registered_tool(c, tool, "blocked", o);
      });
  block->add_option("tool", words->first, "Name or id of a tool; or folder of a bundle")
      ->required();
  block->add_option("name", words->second, "With a bundle: name of the tool");
  block->add_option("--provider", words->tool.provider, "MCP server; any when left out");
  block->add_option("--reason", words->tool.reason, "Why, for those who meet it");
}

void add_rest(const Adder& adder) {
  const auto [add, words] = adder.add(
      "register",
      "Put a tool on record, or with --list all of a server with what they say of themselves",
      [](const Words&) { return false; }, {},
      [](Client& c, const Words& w, const Output& o) { return register_tools(c, w.tool, o); });
  add->add_option("tool", words->tool.tool, "Name; all of the list when left out");
  add->add_option("--list", words->tool.list, kList);
  add->add_option("--provider", words->tool.provider, "MCP server; any when left out");
  add_facts(add, words->tool);
  add->add_option("--reason", words->tool.reason, "Why; kept with who and when")->required();
  const auto [forget, gone] = adder.add(
      "forget", "Take away what was decided about a tool", [](const Words&) { return false; }, {},
      [](Client& c, const Words& w, const Output& o) {
        return decide_registered_tool(c, w.tool, "undecided", o);
      });
  forget->add_option("tool", gone->tool.tool, "Name or id")->required();
  forget->add_option("--provider", gone->tool.provider, "MCP server");
  forget->add_option("--reason", gone->tool.reason, "Why; kept with who and when")->required();
}

}  // namespace

void add_tool_commands(CLI::App& app, const std::function<void(LocalAction)>& choose_local,
                       const std::function<void(Action)>& choose) {
  auto* const tool = app.add_subcommand(
      "tool", "Tools: the collector's registry, scans of MCP servers, pins of a bundle");
  tool->require_subcommand(1);
  const Adder adder{tool, choose_local, choose};
  add_reading(adder);
  add_approve(adder);
  add_block(adder);
  add_rest(adder);
  add_local_scan(adder);
}

}  // namespace aispm::cli
