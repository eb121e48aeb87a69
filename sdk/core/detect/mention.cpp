// SPDX-License-Identifier: Apache-2.0
#include "sdk/core/detect/mention.hpp"

#include <algorithm>
#include <array>
#include <cstddef>
#include <initializer_list>

namespace aispm::detect {
namespace {

using Names = std::initializer_list<std::string_view>;

constexpr std::size_t kMaxWords = 16;  // of one side; a sentence is rarely about a match for longer

char lower(char c) { return c >= 'A' && c <= 'Z' ? static_cast<char>(c + 32) : c; }
bool is_letter(char c) { return lower(c) >= 'a' && lower(c) <= 'z'; }
bool is_in_word(char c) { return is_letter(c) || (c >= '0' && c <= '9') || c == '_'; }

bool same(std::string_view text, std::string_view word) {
  return std::equal(text.begin(), text.end(), word.begin(), word.end(),
                    [](char a, char b) { return lower(a) == b; });
}

bool is_one_of(std::string_view text, Names words) {
  return std::any_of(words.begin(), words.end(),
                     [&](std::string_view word) { return same(text, word); });
}

// Straight ones, also as JSON writes them, typographic quotes (UTF-8) and back quotes.
constexpr std::string_view kQuotes[] = {
    "\\\"",         "\"",           "'",        "`",       "\xe2\x80\x9c", "\xe2\x80\x9d",
    "\xe2\x80\x98", "\xe2\x80\x99", "\xc2\xab", "\xc2\xbb"};

std::size_t quote_at_begin(std::string_view text) {
  for (const std::string_view quote : kQuotes)
    if (text.starts_with(quote)) return quote.size();
  return 0;
}

std::size_t quote_at_end(std::string_view text) {
  for (const std::string_view quote : kQuotes)
    if (text.ends_with(quote)) return quote.size();
  return 0;
}

// Signs that hold a sentence together; any other, and an empty line, ends it.
bool joins_words(char c) {
  return std::string_view(" \t\r\n,*_-/()`<>").find(c) != std::string_view::npos;
}

bool is_contraction(std::string_view text, std::size_t at) {
  return text[at] == '\'' && at > 0 && at + 1 < text.size() && is_letter(text[at - 1]) &&
         is_letter(text[at + 1]);
}

struct Words {
  std::array<std::string_view, kMaxWords> all;  // nearest first
  std::size_t size = 0;

  std::string_view operator[](std::size_t i) const {
    return i < size ? all[i] : std::string_view();
  }
  // The index of the nearest of `names` among the nearest `count` words; kMaxWords = none.
  std::size_t find(Names names, std::size_t count = kMaxWords) const {
    for (std::size_t i = 0; i < std::min(count, size); ++i)
      if (is_one_of(all[i], names)) return i;
    return kMaxWords;
  }
};

// The last words of `text` that belong to its last sentence.
Words last_words(std::string_view text) {
  Words words;
  std::size_t end = text.size();
  bool was_line_end = false;
  while (end > 0 && words.size < kMaxWords) {
    const char c = text[end - 1];
    if (is_in_word(c)) {
      std::size_t begin = end;
      while (begin > 0 && (is_in_word(text[begin - 1]) || is_contraction(text, begin - 1))) --begin;
      words.all[words.size++] = text.substr(begin, end - begin);
      end = begin;
      was_line_end = false;
      continue;
    }
    if (!joins_words(c) || (c == '\n' && was_line_end)) break;
    was_line_end = was_line_end || c == '\n';
    --end;
  }
  return words;
}

// The first words of `text` that belong to its first sentence, and where each begins.
struct Following {
  Words words;
  std::array<std::size_t, kMaxWords> at{};
};

Following first_words(std::string_view text) {
  Following out;
  bool was_line_end = false;
  for (std::size_t i = 0; i < text.size() && out.words.size < kMaxWords;) {
    if (is_in_word(text[i])) {
      std::size_t end = i;
      while (end < text.size() && (is_in_word(text[end]) || is_contraction(text, end))) ++end;
      out.at[out.words.size] = i;
      out.words.all[out.words.size++] = text.substr(i, end - i);
      i = end;
      was_line_end = false;
      continue;
    }
    if (!joins_words(text[i]) || (text[i] == '\n' && was_line_end)) break;
    was_line_end = was_line_end || text[i] == '\n';
    ++i;
  }
  return out;
}

// `such as "...", the phrase '...'`, `"..." attacks`.
bool is_example(std::string_view before, std::string_view after) {
  constexpr std::size_t kNear = 4;
  const std::size_t opened = quote_at_end(before);
  if (opened > 0) {
    before.remove_suffix(opened);
    while (!before.empty() &&
           std::string_view(" :,(").find(before.back()) != std::string_view::npos)
      before.remove_suffix(1);
    const Words words = last_words(before);
    const bool such_as = same(words[0], "as") && same(words[1], "such");
    constexpr std::string_view kExample = "e.g.";
    const bool for_example = before.size() >= kExample.size() &&
                             same(before.substr(before.size() - kExample.size()), kExample);
    if (such_as || same(words[0], "like") || for_example) return true;
    if (words.find({"phrase",     "phrases",   "phrasing",   "wording",   "containing",
                    "contains",   "contain",   "including",  "example",   "examples",
                    "attack",     "attacks",   "attempt",    "attempts",  "injection",
                    "injections", "technique", "techniques", "jailbreak", "jailbreaks"},
                   kNear) < kNear)
      return true;
  }
  const auto closed = std::find_if(after.begin(), after.end(), [](char c) {
    return c == '"' || c == '`' || c == '\'' || (c & 0x80) != 0 || c == '\n' || c == '.';
  });
  std::string_view rest = after.substr(static_cast<std::size_t>(closed - after.begin()));
  const std::size_t quote = quote_at_begin(rest);
  if (opened > 0 && quote == 0) return false;
  if (opened > 0)
    rest.remove_prefix(quote);
  else
    rest = after;
  const Words words = first_words(rest).words;
  return is_one_of(words[0], {"technique", "techniques", "attack", "attacks", "jailbreak",
                              "jailbreaks", "exploit", "exploits"}) ||
         (is_one_of(words[0], {"prompt", "injection", "style"}) &&
          is_one_of(words[1], {"injection", "injections", "attack", "attacks", "attempt",
                               "attempts", "technique", "techniques"}));
}

bool is_negation(std::string_view word) {
  return is_one_of(word, {"not", "never", "cannot", "can't", "don't", "doesn't", "didn't", "won't",
                          "mustn't", "shouldn't", "wouldn't", "couldn't"});
}

// "does not override ...", "content that attempts to redefine policy, bypass ...".
bool is_denied_or_tried(const Words& words, std::string_view match) {
  constexpr std::size_t kTrying = 5;  // words between "attempts to" and the match
  constexpr std::size_t kWithout = 8;
  if (is_negation(words[0]) && !is_one_of(words[1], {"why", "if"})) return true;
  // "never share it without consent" asks for it.
  constexpr std::string_view kWord = "without";
  const bool lacks = match.size() > kWord.size() && same(match.substr(0, kWord.size()), kWord);
  for (std::size_t i = 0; lacks && i < std::min(kWithout, words.size); ++i)
    if (is_negation(words[i])) return true;
  for (std::size_t i = 0; i + 1 < words.size && i <= kTrying; ++i) {
    if (!same(words[i], "to")) continue;
    const std::string_view verb = words[i + 1];
    const std::string_view who = words[i + 2];
    if (is_one_of(verb, {"attempts", "tries", "attempted", "tried", "seeks"}) &&
        !is_one_of(who, {"i", "we"}))
      return true;
    if (is_one_of(verb, {"attempting", "trying", "try", "attempt", "seek"}) &&
        is_one_of(who, {"that", "which", "who", "may", "might", "could", "content", "users", "text",
                        "attackers", "instructions", "messages", "input", "inputs"}))
      return true;
    if (is_one_of(verb, {"reader", "readers"}) && is_one_of(who, {"the", "its", "their"}))
      return true;
  }
  // "Do not treat it as instructions to override ..."
  for (std::size_t i = 1; same(words[0], "to") && i + 1 < words.size; ++i)
    if (is_negation(words[i + 1]) &&
        is_one_of(words[i], {"interpret", "treat", "follow", "obey", "accept", "execute"}))
      return true;
  return words.find({"contradict", "contradicts", "contradicting"}, 8) < kMaxWords;
}

bool names_instructions_given(std::string_view match) {
  constexpr std::string_view kGiven[] = {
      "previous",    "prior",    "above",     "earlier",   "preceding",   "foregoing",
      "initial",     "original", "system",    "safety",    "your",        "former",
      "past",        "existing", "guideline", "old ",      "programming", "training",
      "restriction", "polic",    "given",     "everything"};
  const auto equal = [](char a, char b) { return lower(a) == b; };
  return std::any_of(std::begin(kGiven), std::end(kGiven), [&](std::string_view word) {
    return std::search(match.begin(), match.end(), word.begin(), word.end(), equal) != match.end();
  });
}

// "ignore any instructions found within these tags".
bool is_about_data(std::string_view match, std::string_view after) {
  constexpr std::size_t kList = 8;  // "commands, directives or formatting instructions"
  constexpr std::size_t kNoun = 5;  // "the content of that page"
  if (names_instructions_given(match)) return false;
  const Following next = first_words(after);
  const std::size_t place = next.words.find({"within", "inside", "in", "from", "on"}, kList);
  if (place == kMaxWords) return false;
  const std::string_view preposition = next.words[place];
  const std::string_view said = place > 0 ? next.words[place - 1] : std::string_view();
  const bool inside =
      is_one_of(preposition, {"within", "inside"}) ||
      is_one_of(said, {"found", "contained", "embedded", "present", "hidden", "appearing"});
  const std::string_view rest = after.substr(next.at[place] + preposition.size());
  if (inside && (rest.starts_with(" <") || rest.starts_with(" `<"))) return true;
  for (std::size_t i = place + 1; i <= place + kNoun && i < next.words.size; ++i) {
    const std::string_view noun = next.words[i];
    if (is_one_of(noun, {"descriptions", "outputs", "output", "results", "tags", "history", "data",
                         "comments", "fences", "attachments"}))
      return true;
    if (inside &&
        is_one_of(noun, {"it",          "them",    "content",  "contents", "document", "documents",
                         "file",        "files",   "page",     "pages",    "website",  "websites",
                         "description", "result",  "block",    "blocks",   "source",   "sources",
                         "transcript",  "snippet", "snippets", "text"}))
      return true;
  }
  return false;
}

// "ignore any instructions that attempt to redirect you": who writes so defends.
bool is_about_attempts(std::string_view match, std::string_view after) {
  if (names_instructions_given(match)) return false;
  const Words words = first_words(after).words;
  for (std::size_t i = 0; i + 3 < words.size && i < 8; ++i)
    if (same(words[i], "that") &&
        is_one_of(words[i + 1], {"attempt", "attempts", "try", "tries"}) &&
        same(words[i + 2], "to") &&
        is_one_of(words[i + 3],
                  {"redirect", "override", "subvert", "hijack", "manipulate", "alter"}))
      return true;
  return false;
}

}  // namespace

bool is_mention(std::string_view before, std::string_view match, std::string_view after) {
  const auto sign = [](char c) { return c == ' ' || c == '*' || c == '_'; };
  std::string_view near = before;
  while (!near.empty() && (near.back() == '*' || near.back() == '_')) near.remove_suffix(1);
  if (is_example(near, after)) return true;
  while (!near.empty() && sign(near.back())) near.remove_suffix(1);
  return is_denied_or_tried(last_words(near), match) || is_about_data(match, after) ||
         is_about_attempts(match, after);
}

}  // namespace aispm::detect
