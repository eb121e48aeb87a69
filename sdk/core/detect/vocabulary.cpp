// SPDX-License-Identifier: Apache-2.0
#include "sdk/core/detect/vocabulary.hpp"

#include <algorithm>
#include <optional>

#include "sdk/core/detect/pattern.hpp"

namespace aispm::detect {
namespace {

// The letter that a set stands for in either case.
std::optional<char> letter_of(const ByteSet& set) {
  for (char c = 'a'; c <= 'z'; ++c) {
    const bool lower = set.test(static_cast<std::size_t>(c));
    const bool upper = set.test(static_cast<std::size_t>(c - 32));
    if (lower || upper)
      return set.count() == static_cast<std::size_t>(lower) + static_cast<std::size_t>(upper)
                 ? std::optional(c)
                 : std::nullopt;
  }
  return std::nullopt;
}

class Collector {
 public:
  explicit Collector(std::vector<std::string>& words) : words_(words) {}

  void walk(const Node& node) {
    if (node.kind == Node::Kind::kSet) {
      const auto letter = letter_of(node.set);
      if (letter && word_.size() < Vocabulary::kMaxStem) {
        word_.push_back(*letter);
      } else {
        flush();
      }
      return;
    }
    if (node.kind == Node::Kind::kConcat) {
      for (const Node& child : node.children) walk(child);
      return;
    }
    flush();
    for (const Node& child : node.children) {
      walk(child);
      flush();
    }
  }
  void flush() {
    if (word_.size() >= Vocabulary::kMinStem) words_.push_back(word_);
    word_.clear();
  }

 private:
  std::vector<std::string>& words_;
  std::string word_;
};

}  // namespace

std::size_t Vocabulary::head_of(std::string_view word) {
  std::size_t head = 0;
  for (std::size_t i = 0; i < kMinStem; ++i)
    head = head * 31 + static_cast<std::uint8_t>(word[i]) - 'a';
  return head & 0xffff;
}

Result<Vocabulary> Vocabulary::of(std::span<const Rule> rules) {
  Vocabulary vocabulary;
  Collector collector(vocabulary.sorted_);
  for (const Rule& rule : rules) {
    if (is_data(rule.category)) continue;
    for (const std::string& pattern : rule.patterns) {
      AISPM_TRY(const Node node, parse_pattern(pattern, rule.caseless));
      collector.walk(node);
      collector.flush();
    }
  }
  auto& sorted = vocabulary.sorted_;
  std::sort(sorted.begin(), sorted.end());
  sorted.erase(std::unique(sorted.begin(), sorted.end()), sorted.end());
  for (const std::string& stem : sorted) {
    vocabulary.heads_.set(head_of(stem));
    vocabulary.stems_.insert(stem);
  }
  return vocabulary;
}

std::size_t Vocabulary::stem_of(std::string_view word) const {
  if (word.size() < kMinStem || !heads_.test(head_of(word))) return 0;
  for (std::size_t size = std::min(word.size(), kMaxStem); size >= kMinStem; --size)
    if (stems_.contains(word.substr(0, size))) return size;
  return 0;
}

}  // namespace aispm::detect
