// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <cstddef>
#include <mutex>
#include <set>
#include <string>

#include "gateway/mcp/tool_book.hpp"

namespace aispm::gateway {

// Which definitions of tools this process has reported. A list is news when it has one that was
// not, so that a server which tells agents different things does not make a report of each list.
// Any thread.
class ToldTools {
 public:
  static constexpr std::size_t kMaxDefinitions = 8192;  // beyond, all are told once more

  // Whether the list has to be reported; then it counts as reported.
  bool is_news(const std::string& server, const ToolBook& book);

 private:
  std::mutex mutex_;
  std::set<std::string> told_;
};

}  // namespace aispm::gateway
