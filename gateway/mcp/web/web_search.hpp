// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <string>
#include <string_view>

#include "gateway/mcp/web/web_config.hpp"
#include "sdk/core/common/result.hpp"

// What search engines are asked, and what they say. Pure.
namespace aispm::gateway {

inline constexpr std::size_t kMaxSearchReply = 4U << 20;

struct SearchQuestion {
  std::string verb;
  std::string target;
  std::string body;  // JSON; "" = none
};
SearchQuestion search_question(const SearchConfig& config, std::string_view query);

// The first results, each with title, URL and some words. kInvalid: that is no such reply.
Result<std::string> search_words(const SearchConfig& config, std::string_view reply);

}  // namespace aispm::gateway
