// SPDX-License-Identifier: Apache-2.0
#include <CLI/CLI.hpp>
#include <memory>

#include "sdk/cli/tools.hpp"

namespace aispm::cli {

void add_tool_commands(CLI::App& app, const std::function<void(LocalAction)>& choose) {
  auto* const tool =
      app.add_subcommand("tool", "Tools of MCP servers: scan, and approve or block in a bundle");
  tool->require_subcommand(1);
  const auto review = std::make_shared<ToolReview>();
  const auto add = [&](const char* name, const char* help,
                       std::function<Result<>(const ToolReview&, const Output&)> action) {
    auto* const command = tool->add_subcommand(name, help);
    command->callback([choose, review, action = std::move(action)] {
      choose([review, action](const Output& output) { return action(*review, output); });
    });
    return command;
  };
  constexpr const char* kList = "JSON file with the server's tools/list, - for standard input";
  auto* const list =
      add("list", "Tools that a bundle registers, and which of them are pinned",
          [](const ToolReview& r, const Output& o) { return list_tools(r.bundle, o); });
  auto* const scan =
      add("scan", "How risky a server is, and with --bundle what the bundle says of its tools",
          [](const ToolReview& r, const Output& o) { return scan_tools(r.list, r.bundle, o); });
  scan->add_option("file", review->list, kList)->required();
  scan->add_option("--bundle", review->bundle, "Folder of the bundle");
  auto* const approve =
      add("approve", "Pin the definitions of a list in the bundle's pins.yaml", approve_tool);
  auto* const block = add("block", "Deny a tool in the bundle's pins.yaml", block_tool);
  for (CLI::App* command : {list, approve, block})
    command->add_option("bundle", review->bundle, "Folder of the bundle")->required();
  approve->add_option("file", review->list, kList)->required();
  approve->add_option("--tool", review->tool, "This tool only");
  approve->add_flag("--only", review->only, "Forget what was approved of these tools before");
  block->add_option("tool", review->tool, "Name of the tool")->required();
  for (CLI::App* command : {approve, block}) {
    command->add_option("--provider", review->provider, "MCP server; any when left out");
    command->add_option("--reason", review->reason, "Why, for those who meet it");
  }
}

}  // namespace aispm::cli
