// SPDX-License-Identifier: Apache-2.0
#include "sdk/core/policy/tool_use.hpp"

#include <algorithm>
#include <array>
#include <cctype>
#include <cmath>

#include "sdk/core/policy/shell_tool.hpp"
#include "sdk/core/policy/tool_egress.hpp"
#include "sdk/core/policy/tool_kind.hpp"

namespace aispm::policy {
namespace {

using Words = std::vector<std::string>;
using Leaves = std::vector<Arguments::Leaf>;

constexpr std::size_t kMaxName = 256;

// Not "query": a query of a database may change it.
constexpr std::array<std::string_view, 18> kReads = {
    "read", "get",    "list",   "search", "find",     "fetch", "view", "show",     "lookup",
    "look", "browse", "recall", "count",  "describe", "check", "peek", "retrieve", "load"};
constexpr std::array<std::string_view, 8> kDeletes = {"delete", "remove", "forget", "clear",
                                                      "erase",  "purge",  "drop",   "wipe"};
// Words that change something, wherever they stand beside a word that reads ("get_or_create").
constexpr std::array<std::string_view, 30> kWrites = {
    "write",  "create",  "update", "insert",  "append",   "put",     "post",   "send",
    "save",   "set",     "add",    "edit",    "move",     "rename",  "upload", "publish",
    "deploy", "patch",   "modify", "replace", "commit",   "push",    "merge",  "submit",
    "store",  "execute", "run",    "upsert",  "remember", "memorize"};
constexpr std::array<std::string_view, 7> kSessionWords = {
    "session", "shortterm", "short", "scratchpad", "working", "conversation", "temporary"};
constexpr std::array<std::string_view, 5> kOperationArguments = {"command", "operation", "action",
                                                                 "op", "method"};
constexpr std::array<std::string_view, 4> kKindArguments = {"scope", "kind", "type", "memory_type"};
constexpr std::array<std::string_view, 10> kPlaces = {
    "namespace", "collection",   "collection_name", "index",          "index_name",
    "store",     "vector_store", "vector_store_id", "knowledge_base", "database"};
constexpr std::array<std::string_view, 10> kCounts = {
    "top_k",       "k",          "limit", "n_results", "max_results",
    "num_results", "max_chunks", "count", "size",      "topK"};
constexpr std::array<std::string_view, 6> kSchemes = {"http://", "https://", "ws://",
                                                      "wss://",  "ftp://",   "ftps://"};

template <std::size_t N>
bool is_in(const std::array<std::string_view, N>& words, std::string_view word) {
  return std::find(words.begin(), words.end(), word) != words.end();
}

template <std::size_t N>
bool has_any(const std::array<std::string_view, N>& known, const Words& words) {
  return std::any_of(words.begin(), words.end(),
                     [&](const std::string& word) { return is_in(known, word); });
}

// "saveMemory", "save_memory", "mem0.save-memory"
Words words_of(std::string_view name) {
  Words words;
  std::string word;
  name = name.substr(0, kMaxName);
  for (std::size_t i = 0; i <= name.size(); ++i) {
    const char c = i < name.size() ? name[i] : '_';
    const bool is_upper = c >= 'A' && c <= 'Z';
    const bool is_lower = c >= 'a' && c <= 'z';
    const bool begins = is_upper && i > 0 && name[i - 1] >= 'a' && name[i - 1] <= 'z';
    if ((begins || (!is_upper && !is_lower)) && !word.empty()) {
      words.push_back(std::move(word));
      word.clear();
    }
    if (is_upper) word += static_cast<char>(c - 'A' + 'a');
    if (is_lower) word += c;
  }
  return words;
}

const std::string* text_at(const Leaves& leaves, std::string_view path) {
  for (const Arguments::Leaf& leaf : leaves)
    if (leaf.path == path) return std::get_if<std::string>(&leaf.value);
  return nullptr;
}

bool changes_something(const Words& words) {
  return has_any(kWrites, words) || has_any(kDeletes, words);
}

// Tools such as `memory` name what they do in an argument ({"command": "view"}); the strictest of
// both counts: what writes, then what deletes.
std::string_view operation_of(Words words, const Leaves& leaves) {
  for (const std::string_view path : kOperationArguments)
    if (const std::string* const said = text_at(leaves, path))
      for (std::string& word : words_of(*said)) words.push_back(std::move(word));
  if (has_any(kWrites, words)) return "write";
  if (has_any(kDeletes, words)) return "delete";
  return has_any(kReads, words) ? "read" : "write";
}

MemoryUse memory_use(const Words& words, const Leaves& leaves) {
  bool is_session = has_any(kSessionWords, words);
  for (const std::string_view path : kKindArguments)
    if (const std::string* const said = text_at(leaves, path))
      is_session = is_session || has_any(kSessionWords, words_of(*said));
  return {operation_of(words, leaves), is_session ? "session" : "longterm"};
}

RetrievalUse retrieval_use(const Leaves& leaves) {
  RetrievalUse use;
  for (const std::string_view path : kPlaces)
    if (const std::string* const said = text_at(leaves, path); said && use.place.empty())
      use.place = *said;
  for (const Arguments::Leaf& leaf : leaves) {
    const auto* const number = std::get_if<double>(&leaf.value);
    if (number == nullptr || !is_in(kCounts, leaf.path) || !(*number > 1)) continue;
    const double most = std::min(*number, 1e9);
    use.wanted = std::max(use.wanted, static_cast<std::uint64_t>(std::ceil(most)));
  }
  return use;
}

bool is_url(std::string_view text) {
  return std::any_of(kSchemes.begin(), kSchemes.end(), [&](std::string_view scheme) {
    return text.size() > scheme.size() &&
           std::equal(scheme.begin(), scheme.end(), text.begin(), [](char want, char have) {
             return want == std::tolower(static_cast<unsigned char>(have));
           });
  });
}

void add_host(ToolUse& use, std::string_view url) {
  url = url.substr(0, url.find_first_of(" \t\r\n"));  // words may follow
  std::string host(host_in(url));
  for (char& c : host)
    if (c >= 'A' && c <= 'Z') c = static_cast<char>(c - 'A' + 'a');
  if (std::find(use.hosts.begin(), use.hosts.end(), host) != use.hosts.end()) return;
  if (host.empty() || use.hosts.size() >= ToolUse::kMaxHosts)
    use.has_unreadable_host = true;
  else
    use.hosts.push_back(std::move(host));
}

}  // namespace

ToolUse read_tool_use(std::string_view tool, std::string_view destination,
                      const Arguments* arguments) {
  static const Leaves kNone;
  const Leaves& leaves = arguments != nullptr ? arguments->leaves() : kNone;
  const Words words = words_of(tool);
  const ToolKind kind = kind_of_tool(tool);
  ToolUse use;
  const bool changes = changes_something(words) || is_shell_tool(tool);
  use.writes = changes || !has_any(kReads, words);
  if (kind == ToolKind::kMemory) {
    use.memory = memory_use(words, leaves);
    use.writes = use.memory->operation != "read";
  }
  if (kind == ToolKind::kRetrieval && !changes) {
    use.retrieval = retrieval_use(leaves);
    use.writes = false;
  }
  const bool is_address = destination.find('@') != std::string_view::npos;
  if (is_url(destination) || (!is_address && destination.find('.') != std::string_view::npos))
    add_host(use, destination);
  for (const Arguments::Leaf& leaf : leaves)
    if (const auto* const text = std::get_if<std::string>(&leaf.value); text && is_url(*text))
      add_host(use, *text);
  return use;
}

}  // namespace aispm::policy
