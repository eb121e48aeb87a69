// SPDX-License-Identifier: Apache-2.0
#include "sdk/core/detect/respell.hpp"

#include <algorithm>
#include <cmath>

#include "sdk/core/detect/english_words.hpp"
#include "sdk/core/detect/spaced_letters.hpp"

namespace aispm::detect {
namespace {

constexpr std::size_t kMaxWord = EnglishWords::kMaxLetters;
constexpr std::size_t kLettersToHump = 10;  // fewer: a name of a program, already apart
constexpr std::size_t kMinShortRun = 6;     // letters that may be two words
constexpr std::size_t kMinAlone = 3;        // letters in a row that are words of their own
constexpr float kUnknownLetter = 13;        // more than any known word costs
constexpr float kLoneLetter = 4;            // that a word of one letter costs more
constexpr float kHump = 6;                  // that a word with a capital behind a small letter does

bool is_digit(char c) { return c >= '0' && c <= '9'; }
bool is_capital(char c) { return c >= 'A' && c <= 'Z'; }

bool is_letter(char c) { return static_cast<unsigned char>((c | 0x20) - 'a') < 26; }

void put(char c, std::size_t at, Shadow& out) {
  out.text.push_back(c);
  out.origin.push_back({static_cast<std::uint32_t>(at), static_cast<std::uint32_t>(at + 1)});
}

std::size_t end_of_letters(std::string_view text, std::size_t at) {
  while (at < text.size() && is_letter(text[at])) ++at;
  return at;
}

// As a person writes, with few capitals behind small letters, or a long stretch of small ones; not
// "getUserName" and not base64.
bool is_written(std::string_view run, std::size_t letters_to_hump) {
  std::size_t humps = 0;
  std::size_t small = 0;  // in a row
  for (const char c : run) {
    humps += is_capital(c) && small > 0 ? 1 : 0;
    small = is_capital(c) ? 0 : small + 1;
    if (small >= kMinJoinedLetters) return true;
  }
  return humps * letters_to_hump <= run.size();
}

bool is_word(std::string_view run) {
  return run.size() <= kMaxWord &&
         EnglishWords::get().cost_of(EnglishWords::key_of(run)) != nullptr;
}

// What find_words() demands.
struct Demands {
  std::size_t words;
  std::size_t known_share;  // percent of the letters that are in known words
  double mean_word;         // letters
};
constexpr Demands kAtFirst{3, 75, 3};
// In a text that was seen to have words run together.
constexpr Demands kElsewhere{2, 60, 2.5};
constexpr Demands kShort{2, 100, 2.5};

// The cheapest words that `run` is made of; false when it is not made of words.
bool find_words(std::string_view run, const Demands& demands, RespellBuffers& buffers) {
  const EnglishWords& english = EnglishWords::get();
  std::fill_n(buffers.cost.begin(), run.size() + 1, INFINITY);
  buffers.cost[0] = 0;
  for (std::size_t at = 0; at < run.size(); ++at) {
    const auto offer = [&](std::size_t size, float cost, bool known) {
      if (buffers.cost[at] + cost >= buffers.cost[at + size]) return;
      buffers.cost[at + size] = buffers.cost[at] + cost;
      buffers.size[at + size] = static_cast<std::uint8_t>(size);
      buffers.known[at + size] = known;
    };
    offer(1, kUnknownLetter, false);
    const std::size_t longest = std::min(kMaxWord, run.size() - at);
    const EnglishWords::Key letters = EnglishWords::key_of(run, at, longest);
    float more = kLoneLetter;
    for (std::size_t size = 1; size <= longest; ++size) {
      if (size == 2) more = 0;
      if (size > 1 && is_capital(run[at + size - 1]) && !is_capital(run[at + size - 2]))
        more += kHump;
      const EnglishWords::Key key = EnglishWords::first_of(letters, size);
      if (!english.may_have(key)) continue;
      if (const float* const cost = english.cost_of(key)) offer(size, *cost + more, true);
    }
  }
  std::size_t words = 0;
  std::size_t letters = 0;
  for (std::size_t end = run.size(); end > 0; end -= buffers.size[end]) {
    if (!buffers.known[end]) continue;
    ++words;
    letters += buffers.size[end];
  }
  return words >= demands.words && letters * 100 >= run.size() * demands.known_share &&
         static_cast<double>(letters) >= static_cast<double>(words) * demands.mean_word;
}

// Writes `run`, which stands at `at` of the text, with spaces where find_words() saw words end;
// letters that are left over stay together.
void put_words(std::string_view run, std::size_t at, const RespellBuffers& buffers, Shadow& out) {
  std::array<bool, kMaxJoinedRun + 1> starts{};  // a word, or what is left over
  for (std::size_t end = run.size(); end > 0; end -= buffers.size[end]) {
    starts[end - buffers.size[end]] = buffers.known[end];
    if (buffers.known[end]) starts[end] = true;
  }
  for (std::size_t i = 0; i < run.size(); ++i) {
    if (i > 0 && starts[i]) put(' ', at + i, out);
    put(run[i], at + i, out);
  }
}

// The length of what stays joined to an apostrophe before it: "it's", "don't", "we'll".
std::size_t size_of_ending(std::string_view text, std::size_t at, std::string_view run) {
  if (at == 0 || text[at - 1] != '\'') return 0;
  for (const std::string_view ending : {"re", "ll", "ve", "s", "t", "m", "d"})
    if (run.starts_with(ending)) return ending.size();
  return 0;
}

// Between bytes `at` and `at + 1` a person writes a space: "done.Newtask(now)show".
bool lacks_space(std::string_view text, std::size_t at) {
  if (at + 1 >= text.size()) return false;
  const char next = text[at + 1];
  switch (text[at]) {
    case '.':
      return is_capital(next) && at > 0 && is_letter(text[at - 1]);
    case ',':
    case ':':
    case ';':
    case '!':
    case '?':
    case ')':
    case ']':
      return is_letter(next);
    default:
      if (is_digit(text[at]))  // not in "2nd", "22C", "h4x"
        return at > 1 && is_digit(text[at - 1]) && is_digit(text[at - 2]) && is_letter(next);
      return is_letter(text[at]) && (next == '(' || next == '[');
  }
}

// The letters at [begin, end), which were run together or not.
void put_run(std::string_view text, std::size_t begin, std::size_t end, std::size_t& left,
             RespellBuffers& buffers, Shadow& out) {
  const std::string_view run = text.substr(begin, end - begin);
  const Demands& demands = run.size() >= kMinJoinedLetters ? kElsewhere : kShort;
  const bool looks = run.size() >= kMinShortRun && run.size() <= left && !is_word(run) &&
                     is_written(run, kLettersToHump / 2);
  if (looks) left -= run.size();
  if (looks && find_words(run, demands, buffers)) return put_words(run, begin, buffers, out);
  for (std::size_t i = begin; i < end; ++i) put(text[i], i, out);
}

void split_joined(std::string_view text, RespellBuffers& buffers, Shadow& out) {
  out.clear();
  std::size_t left = kMaxJoinedBytes;
  for (std::size_t at = 0; at < text.size();) {
    const std::size_t end = end_of_letters(text.substr(0, at + kMaxJoinedRun), at);
    if (end == at) {
      put(text[at], at, out);
      if (lacks_space(text, at)) put(' ', at, out);
      ++at;
      continue;
    }
    const std::size_t ending = size_of_ending(text, at, text.substr(at, end - at));
    for (std::size_t i = at; i < at + ending; ++i) put(text[i], i, out);
    at += ending;
    if (ending > 0 && at < end) put(' ', at, out);
    put_run(text, at, end, left, buffers, out);
    if (end > at && lacks_space(text, end - 1)) put(' ', end - 1, out);
    at = end;
  }
}

// Calls use(begin, end) for each word.
template <typename Use>
void each_word(std::string_view text, Use use) {
  for (std::size_t at = 0; at < text.size();) {
    const std::size_t end = end_of_letters(text, at);
    if (end > at) use(at, end);
    at = end > at ? end : at + 1;
  }
}

bool may_be_shuffled(std::size_t size) {
  return size >= EnglishWords::kMinShuffled && size <= kMaxWord;
}

// What one look at all words says about a text.
class Survey {
 public:
  Survey(std::string_view text, RespellBuffers& buffers) : text_(text), buffers_(buffers) {
    each_word(text, [&](std::size_t begin, std::size_t end) { add(begin, end); });
  }

  // Some words are letters one by one.
  bool is_spaced() const { return is_spaced_; }
  // A tenth of the letters are in words run together: in code a long name is not.
  bool is_joined() const { return joined_ > 0 && joined_ * 10 >= letters_; }
  // Of the longer words a quarter are no words, but would be in another order; of few words, half.
  bool is_shuffled() const {
    return (shuffled_ >= kMinShuffledWords && shuffled_ * 4 >= words_) ||
           (shuffled_ + 1 == kMinShuffledWords && shuffled_ * 2 >= words_);
  }

 private:
  void add(std::size_t begin, std::size_t end) {
    const std::size_t size = end - begin;
    letters_ += size;
    alone_ = size == 1 ? alone_ + 1 : 0;
    is_spaced_ = is_spaced_ || alone_ >= kMinAlone;
    if (may_be_shuffled(size)) {
      ++words_;
      const EnglishWords::Key key = EnglishWords::key_of(text_, begin, size);
      if (english_.may_have(key)) {
        if (size < kMinJoinedLetters || english_.cost_of(key) != nullptr) return;
      } else if (english_.unshuffled(text_.substr(begin, size)).head != 0) {
        ++shuffled_;
      }
    }
    if (size >= kMinJoinedLetters) look_into(begin, end);
  }
  void look_into(std::size_t begin, std::size_t end) {
    const std::string_view run = text_.substr(begin, std::min(end - begin, kMaxJoinedRun));
    if (run.size() > left_ || !is_written(run, kLettersToHump)) return;
    left_ -= run.size();
    if (find_words(run, kAtFirst, buffers_)) joined_ += end - begin;
  }

  std::string_view text_;
  RespellBuffers& buffers_;
  const EnglishWords& english_ = EnglishWords::get();
  std::size_t left_ = kMaxJoinedBytes;
  std::size_t alone_ = 0;  // words of one letter, in a row
  std::size_t letters_ = 0;
  std::size_t joined_ = 0;  // of them in words run together
  std::size_t words_ = 0;
  std::size_t shuffled_ = 0;
  bool is_spaced_ = false;
};

void unshuffle(std::string_view text, Shadow& out) {
  out.clear();
  std::size_t done = 0;
  const auto copy_to = [&](std::size_t end) {
    for (; done < end; ++done) put(text[done], done, out);
  };
  each_word(text, [&](std::size_t begin, std::size_t end) {
    copy_to(begin);
    if (!may_be_shuffled(end - begin)) return;
    const std::string_view word = text.substr(begin, end - begin);
    const EnglishWords::Key known = EnglishWords::get().unshuffled(word);
    if (known.head == 0) return;
    const EnglishWords::Letters letters = EnglishWords::letters_of(known);
    const bool shouts = is_capital(word[1]);
    for (; done < end; ++done) {
      const char c = letters[done - begin];
      const bool capital = shouts || (done == begin && is_capital(word.front()));
      put(capital ? static_cast<char>(c - 32) : c, done, out);
    }
  });
  copy_to(text.size());
}

}  // namespace

Respelled respell(std::string_view text, RespellBuffers& buffers, Shadow& out) {
  const Survey survey(text, buffers);
  if (survey.is_spaced() && close_up(text, out)) return Respelled::kClosedUp;
  if (survey.is_joined()) {
    split_joined(text, buffers, out);
    return Respelled::kApart;
  }
  if (!survey.is_shuffled()) return Respelled::kNot;
  unshuffle(text, out);
  return Respelled::kInOrder;
}

}  // namespace aispm::detect
