// SPDX-License-Identifier: Apache-2.0
#include "gateway/mcp/told_tools.hpp"

namespace aispm::gateway {

bool ToldTools::is_news(const std::string& server, const ToolBook& book) {
  const std::lock_guard lock(mutex_);
  if (told_.size() >= kMaxDefinitions) told_.clear();
  bool is_news = false;
  for (const McpTool& tool : book.tools()) {
    std::string key = server;
    for (const std::string& part :
         {tool.definition.name, tool.definition.description_sha256, tool.definition.schema_sha256})
      key.append(1, '\0').append(part);
    is_news = told_.insert(std::move(key)).second || is_news;
  }
  return is_news;
}

}  // namespace aispm::gateway
