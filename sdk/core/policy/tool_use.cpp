// SPDX-License-Identifier: Apache-2.0
#include "sdk/core/policy/tool_use.hpp"

#include <algorithm>
#include <array>
#include <cctype>
#include <cmath>

#include "sdk/core/policy/shell_tool.hpp"
#include "sdk/core/policy/tool_egress.hpp"
#include "sdk/core/policy/tool_kind.hpp"
#include "sdk/core/policy/web_scheme.hpp"

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
// Words that change something, wherever they stand beside a word that reads ("get_or_create"). No
// words that as often name a thing that is read ("order", "charge", "book").
constexpr std::array<std::string_view, 56> kWrites = {
    "write",  "create",    "update",    "insert",  "append",   "put",      "post",      "send",
    "save",   "set",       "add",       "edit",    "move",     "rename",   "upload",    "publish",
    "deploy", "patch",     "modify",    "replace", "commit",   "push",     "merge",     "submit",
    "store",  "execute",   "run",       "upsert",  "remember", "memorize", "transfer",  "pay",
    "share",  "unshare",   "grant",     "revoke",  "approve",  "reject",   "cancel",    "import",
    "sign",   "reset",     "overwrite", "invite",  "assign",   "purchase", "withdraw",  "restore",
    "revert", "terminate", "kill",      "enable",  "disable",  "install",  "uninstall", "change"};
// Of a tool that searches by its kind: that this is all it does ("rag_query", "docs_retriever").
constexpr std::array<std::string_view, 4> kSearches = {"retrieval", "retriever", "rag", "query"};
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
constexpr std::string_view kSkipped =
    "\t\r\n";  // parsers of URLs leave them out wherever they stand
constexpr std::uint64_t kMostWanted = 1'000'000'000;

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

// Programs read "5000" as they read 5000. What is no number to us may be one to them: too many.
std::uint64_t count_of(const Arguments::Value& value) {
  if (const auto* const number = std::get_if<double>(&value)) {
    if (!(*number > 1)) return 1;
    return static_cast<std::uint64_t>(std::ceil(std::min(*number, double{kMostWanted})));
  }
  const auto* const text = std::get_if<std::string>(&value);
  if (text == nullptr) return 1;
  std::uint64_t count = 0;
  for (const char c : *text) {
    if (c < '0' || c > '9') return kMostWanted;
    count = std::min(count * 10 + static_cast<std::uint64_t>(c - '0'), kMostWanted);
  }
  return text->empty() ? kMostWanted : count;
}

RetrievalUse retrieval_use(const Leaves& leaves) {
  RetrievalUse use;
  for (const std::string_view path : kPlaces)
    if (const std::string* const said = text_at(leaves, path); said && use.place.empty())
      use.place = *said;
  for (const Arguments::Leaf& leaf : leaves)
    if (is_in(kCounts, leaf.path)) use.wanted = std::max(use.wanted, count_of(leaf.value));
  return use;
}

bool is_control(char c) { return static_cast<unsigned char>(c) <= 0x20; }

// Without what programs skip at both ends: controls and spaces, and some (requests) any space of
// Unicode in front; what else stands there in its place does no harm to skip.
std::string_view trimmed(std::string_view text) {
  while (!text.empty() &&
         (is_control(text.front()) || static_cast<unsigned char>(text.front()) > 0x7e))
    text.remove_prefix(1);
  while (!text.empty() && is_control(text.back())) text.remove_suffix(1);
  return text;
}

// Whether programs may take a text, trimmed, for a URL. Browsers and Node need no slashes
// ("https:evil.example"), and most leave tabs and line ends out ("ht<TAB>tp://"). "http: a
// protocol" is none to anybody.
bool is_url(std::string_view text) {
  std::string scheme;
  std::size_t i = 0;
  for (; i < text.size() && text[i] != ':'; ++i) {
    if (kSkipped.find(text[i]) != std::string_view::npos) continue;
    if (scheme.size() >= 5) return false;
    scheme += static_cast<char>(std::tolower(static_cast<unsigned char>(text[i])));
  }
  const std::size_t next = text.find_first_not_of(kSkipped, i + 1);
  return is_web_scheme(scheme) && next < text.size() && text[next] != ' ';
}

void take_host(ToolUse& use, std::string_view url) {
  std::string host(host_in(url));
  for (char& c : host)
    if (c >= 'A' && c <= 'Z') c = static_cast<char>(c - 'A' + 'a');
  if (std::find(use.hosts.begin(), use.hosts.end(), host) != use.hosts.end()) return;
  if (host.empty() || use.hosts.size() >= ToolUse::kMaxHosts)
    use.has_unreadable_host = true;
  else
    use.hosts.push_back(std::move(host));
}

// Where a URL, or a host as it stands, ends its host: "//" belongs to the scheme.
std::size_t end_of_authority(std::string_view url) {
  const std::size_t scheme = url.find("://");
  const std::size_t from =
      scheme != std::string_view::npos && scheme < url.find_first_of("/?#") ? scheme + 3 : 0;
  return std::min(url.find_first_of("/?#", from), url.size());
}

// `text`: a URL or host, trimmed; words may follow behind a space. Nobody knows which host a
// program takes where a tab or line end stands before the host's end (left out by some, the end of
// it to others), or a space or control with an `@` behind it ("https://good.example @evil.example":
// requests goes to evil.example).
void add_host(ToolUse& use, std::string_view text) {
  const std::string_view authority = text.substr(0, end_of_authority(text));
  const auto border = std::find_if(authority.begin(), authority.end(), is_control);
  if (border != authority.end() &&
      (*border != ' ' || std::find(border, authority.end(), '@') != authority.end())) {
    use.has_unreadable_host = true;
    return;
  }
  const auto end = std::find_if(text.begin(), text.end(), is_control);
  const auto size = static_cast<std::size_t>(end - text.begin());
  take_host(use, text.substr(0, size));
  // Somebody may go to each.
  if (text.find("://", size) != std::string_view::npos) use.has_unreadable_host = true;
}

// Nobody connects to a mail address or "#general" as it stands.
bool names_a_host(std::string_view destination) {
  if (destination.substr(0, 7) == "mailto:") destination.remove_prefix(7);
  const bool is_plain = destination.find_first_of("/?:") == std::string_view::npos;
  const bool is_other =
      destination.find('@') != std::string_view::npos || destination.substr(0, 1) == "#";
  return !destination.empty() && !(is_plain && is_other);
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
  const bool searches = has_any(kReads, words) || has_any(kSearches, words);
  if (kind == ToolKind::kRetrieval && (searches || !changes)) {
    use.retrieval = retrieval_use(leaves);
    use.writes = changes || !searches;
  }
  destination = trimmed(destination);
  if (is_url(destination) || names_a_host(destination)) add_host(use, destination);
  for (const Arguments::Leaf& leaf : leaves)
    if (const auto* const text = std::get_if<std::string>(&leaf.value); text != nullptr)
      if (const std::string_view url = trimmed(*text); is_url(url)) add_host(use, url);
  return use;
}

}  // namespace aispm::policy
