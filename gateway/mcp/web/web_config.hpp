// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <chrono>
#include <cstdint>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

namespace boost::asio::ssl {
class context;
}

namespace aispm::gateway {

// The gateway's own server among those of its MCP endpoint.
inline constexpr std::string_view kWebServer = "aispm";
inline constexpr std::string_view kFetchTool = "web_fetch";
inline constexpr std::string_view kSearchTool = "web_search";

// Reads pages of the public web for agents.
struct FetchConfig {
  std::vector<std::string> hosts;          // globs; empty: any
  std::vector<std::string> deny_hosts;     // globs; stronger than `hosts`
  std::vector<std::string> private_hosts;  // "host:port" that may be where the public web is not
  std::chrono::milliseconds time{10'000};  // of one page, redirects included
  std::size_t characters = 4000;           // of its text
  std::size_t bytes = 2U << 20;            // of the page as it is sent
  std::shared_ptr<boost::asio::ssl::context> tls;
};

enum class SearchForm : std::uint8_t { kTavily, kSearxng };

// Asks a search engine; its origin and key are those of the server's endpoint.
struct SearchConfig {
  SearchForm form = SearchForm::kTavily;
  std::string path;  // "/search"
  std::size_t results = 5;
  std::size_t characters = 300;  // of what is told of each
  std::chrono::milliseconds time{10'000};
};

struct WebConfig {
  std::optional<FetchConfig> fetch;
  std::optional<SearchConfig> search;
};

}  // namespace aispm::gateway
