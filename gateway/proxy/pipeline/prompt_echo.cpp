// SPDX-License-Identifier: Apache-2.0
#include "gateway/proxy/pipeline/prompt_echo.hpp"

#include <algorithm>
#include <bit>
#include <cstring>
#include <random>

namespace aispm::gateway {
namespace {

// Between parts of prose that are not to be joined.
constexpr char kBorder = '\1';
// Sets these keys apart from those of texts that were judged.
constexpr std::uint64_t kTag = 0x4c45414bULL;

// For each byte: a letter in lower case, ' ' for what stands between words, or a border.
constexpr std::array<char, 256> make_prose() {
  std::array<char, 256> table{};
  for (std::size_t i = 0; i < table.size(); ++i) {
    const char c = static_cast<char>(i);
    const bool is_kept = (c >= 'a' && c <= 'z') || (c >= '0' && c <= '9') || i >= 0x80;
    table[i] = is_kept ? c : c >= 'A' && c <= 'Z' ? static_cast<char>(c - 'A' + 'a') : ' ';
  }
  for (const char c : std::string_view("/\\=<>{}[]|@$_~^&"))
    table[static_cast<std::uint8_t>(c)] = kBorder;
  return table;
}
constexpr std::array<char, 256> kProse = make_prose();

char prose_of(char c) { return kProse[static_cast<std::uint8_t>(c)]; }

bool is_letter(char c) { return static_cast<std::uint8_t>(c) > ' '; }

// One space between words, none beside a border.
bool is_kept(char c, char last) {
  return is_letter(c) || (c == kBorder ? last != c : is_letter(last));
}

constexpr std::array<std::string_view, 20> kRefusals = {
    "i can t",    "i cannot",    "i can not",       "i m sorry",         "i am sorry",
    "sorry",      "i won t",     "i will not",      "i m not able",      "i am not able",
    "i m unable", "i am unable", "i must decline",  "i have to decline", "unfortunately",
    "i apologi",  "as an ai",    "i m not allowed", "i am not allowed",  "no i can"};

std::uint64_t load(const char* at) {
  std::uint64_t word;
  std::memcpy(&word, at, sizeof word);
  return word;
}

}  // namespace

WindowHash::WindowHash() {
  std::random_device random;
  for (std::uint64_t& word : key_) word = (std::uint64_t{random()} << 32U) | random();
}

// Sums of products with key words (NH) stay apart for texts that were chosen without the key.
std::uint64_t WindowHash::operator()(const char* window) const {
  __extension__ using Wide = unsigned __int128;
  const Wide sum = static_cast<Wide>(load(window) + key_[0]) * (load(window + 8) + key_[1]) +
                   static_cast<Wide>(load(window + 16) + key_[2]) * key_[3];
  std::uint64_t hash = static_cast<std::uint64_t>(sum) ^ static_cast<std::uint64_t>(sum >> 64U);
  hash ^= hash >> 32U;
  hash *= 0x9e3779b97f4a7c15ULL;
  return hash ^ (hash >> 29U);
}

PromptIndex::PromptIndex(const codec::LlmRequest& request) {
  for (const codec::TextPart& part : request.parts)
    if (part.surface == codec::Surface::kSystem && !part.is_key) add_prose(part.text);
  if (words_ < EchoBounds::kMin) {
    words_ = 0;
    return;
  }
  slots_.resize(std::bit_ceil(2 * (prose_.size() / kStep + 1)));
  add_windows();
}

void PromptIndex::add_prose(std::string_view text) {
  char last = kBorder;
  prose_.push_back(kBorder);
  for (const char raw : text) {
    const char c = prose_of(raw);
    if (!is_kept(c, last)) continue;
    if (prose_.size() >= kMaxProse) {
      is_cut_ = is_cut_ || is_letter(c);
      return;
    }
    prose_.push_back(c);
    last = c;
    if (c != kBorder) ++words_;
  }
}

void PromptIndex::add_windows() {
  std::size_t since_border = 0;
  for (std::size_t i = 0; i < prose_.size(); ++i) {
    since_border = prose_[i] == kBorder ? 0 : since_border + 1;
    if ((i + 1) % kStep == 0 && since_border >= kWindow) add_window(i + 1);
  }
}

bool PromptIndex::is_window(std::size_t end, const char* window) const {
  return std::memcmp(prose_.data() + end - kWindow, window, kWindow) == 0;
}

void PromptIndex::add_window(std::size_t end) {
  const char* const window = prose_.data() + end - kWindow;
  std::size_t probe = 1;
  std::size_t at = hash_(window) & (slots_.size() - 1);
  for (; slots_[at] != 0; ++probe) {
    if (is_window(slots_[at], window)) return;
    at = (at + 1) & (slots_.size() - 1);
  }
  slots_[at] = static_cast<std::uint32_t>(end);
  longest_probe_ = std::max(longest_probe_, probe);
}

std::size_t PromptIndex::find(const char* window) const {
  for (std::size_t at = hash_(window) & (slots_.size() - 1); slots_[at] != 0;
       at = (at + 1) & (slots_.size() - 1))
    if (is_window(slots_[at], window)) return slots_[at];
  return 0;
}

std::shared_ptr<const PromptIndex> PromptIndexes::of(const codec::LlmRequest& request,
                                                     const KnownTexts& keys) {
  std::uint64_t key = 0;
  for (const codec::TextPart& part : request.parts)
    if (part.surface == codec::Surface::kSystem && !part.is_key)
      key = keys.key_of(key ^ kTag, part.text);
  if (key == 0) return nullptr;
  for (const Kept& one : kept_)
    if (one.index && one.key == key) return one.index->empty() ? nullptr : one.index;
  auto made = std::make_shared<const PromptIndex>(request);
  kept_[next_] = {key, made};
  next_ = (next_ + 1) % kKept;
  return made->empty() ? nullptr : made;
}

bool PromptEcho::is_much() const {
  return echoed_ >= bounds_.tell &&
         echoed_ >= std::min(bounds_.high, index_->words_bytes() * 4 / 5);
}

// The first words, without marks and borders; a typographic apostrophe is a mark.
void PromptEcho::read_opening(std::string_view text) {
  constexpr std::string_view kQuote = "\xe2\x80\x99";
  const std::uint8_t before = opening_size_;
  for (const char raw : text) {
    if (opening_size_ == kOpening) break;
    quote_bytes_ = raw == kQuote[quote_bytes_] ? quote_bytes_ + 1 : raw == kQuote[0] ? 1 : 0;
    char c = prose_of(raw);
    if (c == kBorder) c = ' ';
    if (quote_bytes_ == kQuote.size()) {
      opening_size_ -= std::min<std::uint8_t>(opening_size_, 2);
      quote_bytes_ = 0;
      c = ' ';
    }
    if (c == ' ' && (opening_size_ == 0 || opening_[opening_size_ - 1] == ' ')) continue;
    opening_[opening_size_++] = c;
  }
  if (opening_size_ == before) return;
  const std::string_view said(opening_.data(), opening_size_);
  is_refusal_ = std::any_of(kRefusals.begin(), kRefusals.end(),
                            [&](std::string_view one) { return said.starts_with(one); });
}

void PromptEcho::feed(std::string_view text) {
  if (bytes_ < kHead && opening_size_ < kOpening) read_opening(text.substr(0, kHead - bytes_));
  while (!text.empty()) {
    std::size_t read = place_ == 0 ? skim(text) : 0;
    if (read == 0) {
      read = append(text, place_ != 0 ? 1 : until_look());
      bytes_ += read;
      if (has_new_) look();
    }
    text.remove_prefix(read);
  }
}

// Nearly always nothing of the prompt stands there: reads up to the last of the next windows that
// are looked for in a row, or up to a border. Gives the bytes that it read; 0, and all is as
// before, when one of the windows is the prompt's or there is no room: then it is read step by
// step.
std::size_t PromptEcho::skim(std::string_view text) {
  constexpr std::size_t kStride = PromptIndex::kStride;
  const std::size_t next = std::max(since_border_ + 1, PromptIndex::kWindow);
  const std::size_t group = (next + kStride - PromptIndex::kStep) / kStride * kStride;
  const std::size_t most = group + PromptIndex::kStep - 1 - since_border_;
  if (tail_size_ + most > tail_.size()) return 0;
  const char last = last_;
  const std::size_t size = tail_size_;
  const std::size_t since = since_border_;
  const std::size_t read = read_prose(text, most);
  if (has_window(next)) {
    last_ = last;
    tail_size_ = size;
    since_border_ = since;
    return 0;
  }
  if (last_ == kBorder) start_anew();
  bytes_ += read;
  return read;
}

// Of the windows looked for that end at the character `from` since the border or later.
bool PromptEcho::has_window(std::size_t from) const {
  for (std::size_t end = from; end <= since_border_; ++end) {
    if (end % PromptIndex::kStride >= PromptIndex::kStep) continue;
    const std::size_t behind = since_border_ - end;  // characters
    if (index_->find(tail_.data() + tail_size_ - behind - PromptIndex::kWindow) != 0) return true;
  }
  return false;
}

// How many characters more until one stands where a window is looked for.
std::size_t PromptEcho::until_look() const {
  constexpr std::size_t kStride = PromptIndex::kStride;
  const std::size_t next = std::max(since_border_ + 1, PromptIndex::kWindow);
  const std::size_t phase = next % kStride;
  return next + (phase < PromptIndex::kStep ? 0 : kStride - phase) - since_border_;
}

// At most `most` characters of prose, for which there is room, or up to a border, which is then
// `last_`. Gives the bytes of `text` that it read.
std::size_t PromptEcho::read_prose(std::string_view text, std::size_t most) {
  char* out = tail_.data() + tail_size_;
  char* const stop = out + most;
  char last = last_;
  std::size_t at = 0;
  while (at < text.size() && out != stop) {
    const char c = prose_of(text[at++]);
    if (!is_kept(c, last)) continue;
    last = c;
    if (c == kBorder) break;
    *out++ = c;
  }
  last_ = last;
  const auto count = static_cast<std::size_t>(out - (tail_.data() + tail_size_));
  tail_size_ += count;
  since_border_ += count;
  return at;
}

// Likewise, and makes room before.
std::size_t PromptEcho::append(std::string_view text, std::size_t most) {
  if (tail_size_ + most > tail_.size()) {
    std::memmove(tail_.data(), tail_.data() + tail_size_ - kTail, kTail);
    tail_size_ = kTail;
  }
  const std::size_t wanted = tail_size_ + most;
  const std::size_t read = read_prose(text, most);
  has_new_ = tail_size_ == wanted;
  if (last_ == kBorder) start_anew();
  return read;
}

void PromptEcho::start_anew() {
  has_new_ = false;
  tail_size_ = since_border_ = 0;
  place_ = run_ = counted_ = 0;
}

// A character of a part that is followed has come, or one behind which a window may end.
void PromptEcho::look() {
  has_new_ = false;
  if (place_ != 0) follow(tail_[tail_size_ - 1]);
  if (place_ != 0 || since_border_ < PromptIndex::kWindow ||
      since_border_ % PromptIndex::kStride >= PromptIndex::kStep)
    return;
  const std::size_t end = index_->find(tail_.data() + tail_size_ - PromptIndex::kWindow);
  if (end != 0) align(end);
}

void PromptEcho::follow(char c) {
  const std::string_view prose = index_->prose();
  if (place_ < prose.size() && prose[place_] == c) {
    ++place_;
    ++run_;
    return count();
  }
  place_ = run_ = counted_ = 0;
}

// A window of the prompt ends here: how far back do both agree?
void PromptEcho::align(std::size_t end) {
  const std::string_view prose = index_->prose();
  std::size_t back = PromptIndex::kWindow;
  while (back < tail_size_ && back < end && tail_[tail_size_ - 1 - back] == prose[end - 1 - back])
    ++back;
  place_ = end;
  run_ = back;
  count();
}

void PromptEcho::count() {
  if (run_ < bounds_.tell) return;
  std::size_t& sum = is_refusal_ && bytes_ <= kExempt ? quoted_ : echoed_;
  sum += run_ - counted_;
  counted_ = run_;
  if (quoted_ <= kMaxQuote) return;
  // "I can't share that, but it says: ..."
  echoed_ += quoted_;
  quoted_ = 0;
  is_refusal_ = false;
}

}  // namespace aispm::gateway
