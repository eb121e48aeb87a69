// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "sdk/core/codec/agent_message.hpp"
#include "sdk/core/policy/json_schema.hpp"

// The tools of one MCP server. Pure.
namespace aispm::gateway {

// One tool as its server tells of it.
struct McpTool {
  codec::ToolDefinition definition;  // its name and what pins know it by
  std::string shown;                 // JSON for clients with sessions, with the prefixed name
  std::string shown_stateless;       // for those of 2026-07-28; "" = the same
  std::string texts;                 // every word that a model would be told, one a line
  // Null: it cannot be used, `problem` says why, and calls are refused.
  std::shared_ptr<const policy::JsonSchema> schema;
  std::string problem;
  // Null: it says nothing of its results, or in a way that cannot be checked.
  std::shared_ptr<const policy::JsonSchema> output_schema;
  bool hides_output_schema = false;  // clients with sessions are not told of it
  // The names that calls may give, where the schema says nothing about others; else empty.
  std::vector<std::string> known_arguments;
  bool is_closed = false;  // known_arguments counts
  // Arguments that a 2026-07-28 server wants in headers as well: where they are, and the header.
  struct HeaderArgument {
    std::vector<std::string> path;  // names of members, outermost first
    std::string header;             // "mcp-param-Region"
  };
  std::vector<HeaderArgument> headers;
  // As policy::scan_server sees them: letters that people do not see; words about other tools.
  bool hides_text = false;
  bool speaks_of_others = false;
};

// Immutable once it is read; any thread.
class ToolBook {
 public:
  static constexpr std::size_t kMaxTools = 512;  // of one server
  static constexpr std::size_t kMaxPages = 64;
  static constexpr std::size_t kMaxBookBytes = 4U << 20;        // of all pages
  static constexpr std::size_t kMaxArgumentBytes = 256U << 10;  // of one text

  // Adds a page, the result of tools/list; gives its nextCursor, "" = the last. A tool whose name
  // is not of letters, digits, `_`, `-`, `.` and `/` is left out, the others stay; of tools with
  // the same name none can be used: which of them would be called is not known. kInvalid: no such
  // list, or a tool without a name; kTooLarge.
  Result<std::string> add_page(std::string_view server, std::string_view result);
  // After the last page: looks at all tools together.
  void finish(std::string_view server);

  const std::vector<McpTool>& tools() const { return tools_; }
  const McpTool* find(std::string_view name) const;
  // Names of those that were left out, as far as they are shown; they count for kMaxTools.
  const std::vector<std::string>& left_out() const { return left_out_; }

 private:
  std::vector<McpTool>::iterator find_named(std::string_view name);

  std::vector<McpTool> tools_;
  std::vector<std::string> left_out_;
  std::size_t pages_ = 0;
  std::size_t bytes_ = 0;
};

// Arguments against what the tool says of itself. kInvalid says what is wrong, for the model.
Result<> check_arguments(const McpTool& tool, std::string_view arguments);

// A result against the tool's output schema, where it has structured content and is no error.
Result<> check_result(const McpTool& tool, std::string_view result);

// The header lines with which a call repeats arguments of the tool; those that are absent or null
// have none. "" = it wants none.
std::string argument_headers(const McpTool& tool, std::string_view arguments);

}  // namespace aispm::gateway
