// SPDX-License-Identifier: Apache-2.0
#include "gateway/mcp/web/web_search.hpp"

#include "gateway/mcp/web/page_text.hpp"
#include "gateway/mcp/web/web_url.hpp"
#include "sdk/core/codec/json_edit.hpp"
#include "sdk/core/codec/json_tree.hpp"
#include "sdk/core/codec/jsonrpc.hpp"

namespace aispm::gateway {
namespace {

constexpr std::size_t kMaxTitle = 200;

std::string encode_query(std::string_view text) {
  constexpr std::string_view kHex = "0123456789ABCDEF";
  std::string encoded;
  for (const char c : text) {
    const auto byte = static_cast<unsigned char>(c);
    const bool is_plain = (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') ||
                          (c >= '0' && c <= '9') || c == '-' || c == '.' || c == '_' || c == '~';
    if (is_plain)
      encoded += c;
    else
      encoded.append({'%', kHex[byte >> 4], kHex[byte & 15]});
  }
  return encoded;
}

// One line of it.
std::string line_of(std::string_view text, std::size_t characters) {
  std::string line = read_plain(text, characters).text;
  for (char& c : line)
    if (static_cast<unsigned char>(c) < ' ') c = ' ';
  return line;
}

}  // namespace

SearchQuestion search_question(const SearchConfig& config, std::string_view query) {
  if (config.form == SearchForm::kSearxng)
    return {"GET", config.path + "?q=" + encode_query(query) + "&format=json", {}};
  return {"POST", config.path,
          "{\"query\":" + codec::json_string(query) +
              ",\"max_results\":" + std::to_string(config.results) + "}"};
}

Result<std::string> search_words(const SearchConfig& config, std::string_view reply) {
  codec::JsonTree tree;
  AISPM_CHECK(tree.read(reply, codec::kMaxRpcDepth));
  const std::size_t results = tree.find(0, "results");
  if (results == codec::JsonTree::kNone)
    return fail(Errc::kInvalid, "the search engine's reply has no results");
  std::string words;
  std::size_t count = 0;
  tree.each_element(results, [&](std::size_t result, std::size_t) {
    const auto url = parse_web_url(tree.string_at(result, "url"));
    if (!url || count == config.results) return;
    if (++count > 1) words += "\n\n";
    words += std::to_string(count) + ". " + line_of(tree.string_at(result, "title"), kMaxTitle) +
             "\n" + url->text() + "\n" +
             line_of(tree.string_at(result, "content"), config.characters);
  });
  return words.empty() ? std::string("Nothing was found.") : words;
}

}  // namespace aispm::gateway
