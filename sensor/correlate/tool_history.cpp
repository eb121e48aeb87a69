// SPDX-License-Identifier: Apache-2.0
#include "sensor/correlate/tool_history.hpp"

#include <algorithm>
#include <utility>

#include "sdk/core/common/crypto.hpp"

namespace aispm::sensor {

ToolHistory::Print ToolHistory::print_of(const model::McpTool& tool) {
  const std::string hash = sha256_hex(tool.description_sha256 + tool.schema_sha256);
  Print print{};
  std::copy_n(hash.begin(), print.size(), print.begin());
  return print;
}

std::optional<ToolHistory::Change> ToolHistory::compare(const std::string& server,
                                                        const std::vector<model::McpTool>& tools) {
  Prints now;
  for (const model::McpTool& tool : tools) now.insert_or_assign(tool.name, print_of(tool));
  Change change;
  if (const Prints* before = servers_.find(server)) {
    if (*before == now) return std::nullopt;
    for (const auto& [name, print] : now) {
      const auto found = before->find(name);
      if (found == before->end()) {
        change.added.push_back(name);
      } else if (found->second != print) {
        change.changed.push_back(name);
      }
    }
    for (const auto& [name, print] : *before)
      if (!now.contains(name)) change.removed.push_back(name);
    tools_ -= before->size();
  }
  tools_ += now.size();
  if (const auto dropped = servers_.put(server, std::move(now))) tools_ -= dropped->second.size();
  while (tools_ > kMaxTools && servers_.size() > 1) tools_ -= servers_.pop_oldest().second.size();
  return change;
}

}  // namespace aispm::sensor
