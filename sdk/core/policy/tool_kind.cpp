// SPDX-License-Identifier: Apache-2.0
#include "sdk/core/policy/tool_kind.hpp"

#include <algorithm>
#include <array>

namespace aispm::policy {
namespace {

constexpr std::size_t kMaxName = 256;  // as of the codecs

struct Word {
  std::string_view word;
  ToolKind kind;
};

// In order of how much a wrong guess would cost: what writes memory first.
constexpr std::array kWords = {
    Word{"memory", ToolKind::kMemory},       Word{"memories", ToolKind::kMemory},
    Word{"memorize", ToolKind::kMemory},     Word{"remember", ToolKind::kMemory},
    Word{"mail", ToolKind::kEmailOrWeb},     Word{"email", ToolKind::kEmailOrWeb},
    Word{"emails", ToolKind::kEmailOrWeb},   Word{"gmail", ToolKind::kEmailOrWeb},
    Word{"inbox", ToolKind::kEmailOrWeb},    Word{"outlook", ToolKind::kEmailOrWeb},
    Word{"imap", ToolKind::kEmailOrWeb},     Word{"web", ToolKind::kEmailOrWeb},
    Word{"website", ToolKind::kEmailOrWeb},  Word{"webpage", ToolKind::kEmailOrWeb},
    Word{"browser", ToolKind::kEmailOrWeb},  Word{"browse", ToolKind::kEmailOrWeb},
    Word{"fetch", ToolKind::kEmailOrWeb},    Word{"url", ToolKind::kEmailOrWeb},
    Word{"http", ToolKind::kEmailOrWeb},     Word{"crawl", ToolKind::kEmailOrWeb},
    Word{"scrape", ToolKind::kEmailOrWeb},   Word{"retrieve", ToolKind::kRetrieval},
    Word{"retrieval", ToolKind::kRetrieval}, Word{"retriever", ToolKind::kRetrieval},
    Word{"rag", ToolKind::kRetrieval},       Word{"knowledge", ToolKind::kRetrieval},
    Word{"document", ToolKind::kRetrieval},  Word{"documents", ToolKind::kRetrieval},
    Word{"docs", ToolKind::kRetrieval},      Word{"vector", ToolKind::kRetrieval},
    Word{"search", ToolKind::kRetrieval},
};

bool is_lower(char c) { return c >= 'a' && c <= 'z'; }
bool is_upper(char c) { return c >= 'A' && c <= 'Z'; }

}  // namespace

ToolKind kind_of_tool(std::string_view name) {
  ToolKind best = ToolKind::kOther;
  std::array<char, 16> word{};
  std::size_t size = 0;
  const auto end_word = [&] {
    const std::string_view lower(word.data(), std::min(size, word.size()));
    const auto known = std::find_if(kWords.begin(), kWords.end(),
                                    [&](const Word& one) { return one.word == lower; });
    if (known != kWords.end() && (best == ToolKind::kOther || known->kind < best))
      best = known->kind;
    size = 0;
  };
  name = name.substr(0, kMaxName);
  for (std::size_t i = 0; i < name.size(); ++i) {
    const char c = name[i];
    if (!is_lower(c) && !is_upper(c)) {
      end_word();
      continue;
    }
    // "saveMemory", "GmailSearch"
    if (is_upper(c) && i > 0 && is_lower(name[i - 1])) end_word();
    if (size < word.size()) word[size] = is_upper(c) ? static_cast<char>(c - 'A' + 'a') : c;
    ++size;
  }
  end_word();
  return best;
}

}  // namespace aispm::policy
