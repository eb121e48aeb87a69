// SPDX-License-Identifier: Apache-2.0
#include "sdk/core/detect/classifier_features.hpp"

#include <algorithm>

#include "sdk/core/detect/classifier_letters.hpp"

namespace aispm::detect {
namespace {

constexpr std::size_t kStemCharacters = 7;  // words that begin alike are one word
constexpr std::size_t kMinPrefix = 3;       // shortest lexicon entry with *
constexpr std::size_t kMaxWordCharacters = 24;
constexpr std::size_t kMinEncodedRun = 28;
constexpr std::uint32_t kNear = 5;  // words between two meanings that belong together

constexpr std::size_t kMaxLink = 300;     // bytes of a link that are looked at
constexpr std::size_t kMaxLinkText = 80;  // bytes between the brackets of one

constexpr std::string_view kChatMarks[] = {"<|",      "|>", "[inst",   "[/inst", "<<sys",  "<</sys",
                                           "<system", "</", "[system", "[end",   "[begin", "### "};
constexpr std::string_view kSecretPaths[] = {"/etc/", "~/.",    ".ssh",  ".env",
                                             ".aws",  "id_rsa", "/root", "c:\\"};

enum LinkShape : std::uint32_t { kNoQuery = 0, kLinkQuery = 512, kImageQuery, kFilledQuery };

// What a web address that begins at `at` carries out: nothing, values, or values to be filled in
// ("?d=[DATA]").
LinkShape query_of(std::string_view text, std::size_t at) {
  const std::string_view link = text.substr(at, kMaxLink);
  if (link.substr(0, 4) != "http" && link.substr(0, 2) != "//") return kNoQuery;
  const std::string_view address = link.substr(0, link.find_first_of(" \t\n)\"'>"));
  const auto query = address.find('?');
  const auto value = query == std::string_view::npos ? query : address.find('=', query);
  if (value == std::string_view::npos || value + 1 >= address.size()) return kNoQuery;
  return std::string_view("[{<$").find(address[value + 1]) != std::string_view::npos ? kFilledQuery
                                                                                     : kLinkQuery;
}

// Whether the bracket that closes at `at` belongs to an image: "![...]".
bool closes_image(std::string_view text, std::size_t at) {
  const std::size_t from = at - std::min(at, kMaxLinkText);
  const auto open = text.substr(from, at - from).rfind("![");
  return open != std::string_view::npos;
}

constexpr std::uint8_t kEncodedDigit = 1, kEncodedLetter = 2, kEncodedMark = 4;

// Of each byte what it is in a run of base64 or the like; 0: it ends the run.
constexpr std::array<std::uint8_t, 256> kEncoded = [] {
  std::array<std::uint8_t, 256> kinds{};
  for (std::size_t c = '0'; c <= '9'; ++c) kinds[c] = kEncodedDigit;
  for (std::size_t c = 'a'; c <= 'z'; ++c) kinds[c] = kinds[c - 32] = kEncodedLetter;
  kinds['+'] = kinds['/'] = kinds['='] = kEncodedMark;
  return kinds;
}();

std::size_t count_characters(std::string_view text) {
  return static_cast<std::size_t>(std::count_if(text.begin(), text.end(), [](char c) {
    return (static_cast<unsigned char>(c) & 0xC0U) != 0x80;
  }));
}

}  // namespace

FeatureReader::FeatureReader(std::string_view text) : text_(text) {}

bool FeatureReader::starts(std::string_view mark) const {
  if (text_.size() - at_ < mark.size()) return false;
  return std::equal(mark.begin(), mark.end(), text_.begin() + static_cast<std::ptrdiff_t>(at_),
                    [](char a, char b) { return a == b || (b >= 'A' && b <= 'Z' && a == b + 32); });
}

void FeatureReader::add(FeatureBlock& block, FeatureKind kind, std::uint32_t hash,
                        std::uint32_t begin, std::uint32_t end, std::array<Concept, 3> meanings) {
  if (block.count == kMaxBlockFeatures) return;
  hash = mix(mix(kHashSeed, static_cast<std::uint32_t>(kind)), hash);
  block.features[block.count++] = {hash, kind, meanings, begin, end};
}

void FeatureReader::take_meaning(FeatureBlock& block, const Token& token) {
  const auto id = static_cast<std::uint32_t>(token.meaning);
  const Concept own = token.meaning;
  add(block, FeatureKind::kMeaning, id, token.begin, token.end, {own});
  const Token& before = meanings_[0];
  if (before.meaning != Concept::kNone && token.place - before.place <= kNear) {
    const auto first = static_cast<std::uint32_t>(before.meaning);
    add(block, FeatureKind::kMeaningPair, first * 64 + id, before.begin, token.end,
        {before.meaning, own});
    const Token& oldest = meanings_[1];
    if (oldest.meaning != Concept::kNone && token.place - oldest.place <= 2 * kNear) {
      const auto zeroth = static_cast<std::uint32_t>(oldest.meaning);
      add(block, FeatureKind::kMeaningTriple, (zeroth * 64 + first) * 64 + id, oldest.begin,
          token.end, {oldest.meaning, before.meaning, own});
      // What stands around a third meaning, too.
      add(block, FeatureKind::kMeaningPair, 4096 + zeroth * 64 + id, oldest.begin, token.end,
          {oldest.meaning, own});
    }
  }
  meanings_[2] = meanings_[1];
  meanings_[1] = meanings_[0];
  meanings_[0] = token;
}

void FeatureReader::take(FeatureBlock& block, Concept meaning, std::uint32_t begin,
                         std::uint32_t end) {
  last_ = {meaning, begin, end, ++places_};
  if (meaning != Concept::kNone) take_meaning(block, last_);
}

// Base64, keys, hashes: passes over a long run that mixes digits with letters.
bool FeatureReader::skip_encoded() {
  std::uint8_t seen = 0;
  std::size_t end = at_;
  for (; end < text_.size(); ++end) {
    const std::uint8_t kind = kEncoded[static_cast<std::uint8_t>(text_[end])];
    if (kind == 0) break;
    seen |= kind;
  }
  constexpr std::uint8_t kMixed = kEncodedDigit | kEncodedLetter;
  if (end - at_ < kMinEncodedRun || (seen & kMixed) != kMixed) return false;
  at_ = end;
  return true;
}

void FeatureReader::read_word(FeatureBlock& block) {
  if (skip_encoded()) return;
  const auto begin = static_cast<std::uint32_t>(at_);
  std::uint32_t hash = kHashSeed;
  std::uint32_t stem = kHashSeed;
  std::size_t letters = 0;
  std::size_t upper = 0;
  bool digits = true;
  bool foreign = false;
  Concept by_prefix = Concept::kNone;
  auto end = begin;
  std::size_t lower_run = 0;
  const auto take_letter = [&](std::uint32_t letter) {
    hash = mix(hash, letter);
    if (++letters <= kStemCharacters) stem = hash;
    digits = digits && letter >= '0' && letter <= '9';
    foreign = foreign || letter >= 0x80;
    if (letters >= kMinPrefix)
      if (const Concept found = meaning_of_prefix(hash); found != Concept::kNone) by_prefix = found;
  };
  while (at_ < text_.size() && letters < kMaxWordCharacters) {
    // Most letters are one byte, and fold to one.
    if (const auto byte = static_cast<std::uint8_t>(text_[at_]); byte < 0x80) {
      const bool is_upper = byte >= 'A' && byte <= 'Z';
      const std::uint32_t c = is_upper ? byte + 32U : byte;
      const bool is_small = byte >= 'a' && byte <= 'z';
      const bool is_letter = is_upper || is_small || (byte >= '0' && byte <= '9');
      if (!is_letter && (byte != '\'' || letters == 0)) break;
      if (is_upper && lower_run >= 2) break;  // camelCase is two words, cAmEl is one
      lower_run = is_small ? lower_run + 1 : 0;
      if (is_letter) take_letter(c);
      upper += is_upper ? 1 : 0;
      end = static_cast<std::uint32_t>(++at_);
      continue;
    }
    const Folded folded = fold(text_, at_);
    if (folded.count > 0) {
      const std::uint32_t c = folded.letters[0];
      const bool apostrophe = c == '\'' && letters > 0;
      if (!apostrophe && (!is_word_letter(c) || is_ideograph(c))) break;
      if (folded.is_upper && lower_run >= 2) break;
      lower_run = !folded.is_upper && c >= 'a' && c <= 'z' ? lower_run + 1 : 0;
      for (std::uint32_t i = 0; i < folded.count; ++i)
        if (is_word_letter(folded.letters[i])) take_letter(folded.letters[i]);
      upper += folded.is_upper ? 1 : 0;
    }
    at_ += folded.size;
    end = static_cast<std::uint32_t>(at_);
  }
  if (sentence_start_ || line_start_)
    take_meaning(block, {Concept::kSentence, begin, begin, ++places_});
  sentence_start_ = line_start_ = false;
  Concept meaning = meaning_of_word(hash);
  if (meaning == Concept::kNone) meaning = by_prefix;
  if (digits) {
    meaning = Concept::kNumber;
  } else {
    add(block, FeatureKind::kWord, stem, begin, end);
  }
  if (meaning == Concept::kNone && foreign) add(block, FeatureKind::kShape, 1, begin, end);
  if (upper >= 4 && upper == letters) add(block, FeatureKind::kShape, 2, begin, end);
  if (letters >= 2 && !digits) ++block.words;
  take(block, meaning, begin, end);
}

// At "<img", or at the bracket that opens the address of a Markdown link.
void FeatureReader::read_link(FeatureBlock& block, bool is_tag) {
  std::size_t address = at_ + 1;
  if (is_tag) {
    const auto found = text_.substr(at_, kMaxLink).find("http");
    if (found == std::string_view::npos) return;
    address = at_ + found;
  }
  const LinkShape shape = query_of(text_, address);
  if (shape == kNoQuery) return;
  const auto begin = static_cast<std::uint32_t>(at_);
  const auto end = static_cast<std::uint32_t>(std::min(address + 1, text_.size()));
  add(block, FeatureKind::kShape, shape, begin, end);
  if (is_tag || closes_image(text_, at_ - 1))
    add(block, FeatureKind::kShape, kImageQuery, begin, end);
}

void FeatureReader::read_mark(FeatureBlock& block, std::uint32_t mark) {
  const auto begin = static_cast<std::uint32_t>(at_);
  const auto meaning_at = [&](Concept meaning, std::size_t size) {
    take_meaning(block,
                 {meaning, begin, static_cast<std::uint32_t>(std::min(begin + size, text_.size())),
                  ++places_});
  };
  const auto any_of = [&](const auto& marks) {
    return std::any_of(std::begin(marks), std::end(marks),
                       [&](std::string_view one) { return starts(one); });
  };
  switch (mark) {
    case '\n':
      line_start_ = sentence_start_ = true;
      break;
    case '.':
    case '!':
    case '?':
    case ';':
    case 0x3002:
    case 0xff01:
      if (any_of(kSecretPaths)) meaning_at(Concept::kPath, 4);
      if (mark == '!') meaning_at(Concept::kShout, 1);
      if (mark == '?') meaning_at(Concept::kQuestion, 1);
      sentence_start_ = at_ + 1 >= text_.size() || text_[at_ + 1] == ' ' ||
                        text_[at_ + 1] == '\n' || mark >= 0x80;
      break;
    case ':':
      if (starts("://")) {
        meaning_at(Concept::kUrl, 3);
      } else if (last_.end == begin &&
                 (last_.meaning == Concept::kSystem || last_.meaning == Concept::kUser ||
                  last_.meaning == Concept::kAssistant || last_.meaning == Concept::kInstruction)) {
        meaning_at(Concept::kTurn, 1);
      }
      sentence_start_ = true;
      break;
    case '@':
      if (begin > 0 && last_.end == begin) meaning_at(Concept::kMail, 1);
      break;
    case '/':
    case '~':
      if (any_of(kSecretPaths)) meaning_at(Concept::kPath, 4);
      break;
    case '<':
      if (starts("<!--")) meaning_at(Concept::kComment, 4);
      if (starts("<img")) read_link(block, true);
      [[fallthrough]];
    case '[':
    case '|':
    case '#':
      if (any_of(kChatMarks)) meaning_at(Concept::kMarkup, 2);
      if (mark == '[' && at_ + 2 < text_.size() && text_[at_ + 1] >= 'A' && text_[at_ + 1] <= 'Z' &&
          text_[at_ + 2] >= 'A' && text_[at_ + 2] <= 'Z')
        meaning_at(Concept::kSlot, 1);
      break;
    case '{':
      if (starts("{{")) meaning_at(Concept::kSlot, 2);
      add(block, FeatureKind::kShape, 3, begin, begin + 1);
      break;
    case '-':
    case '=':
    case '*':
    case '_':
      if (line_start_ && (starts("---") || starts("===") || starts("***") || starts("___")))
        meaning_at(Concept::kRule, 3);
      break;
    case '"':
    case 0x201c:
      add(block, FeatureKind::kShape, 4, begin, begin + 1);
      sentence_start_ = true;
      break;
    case '(':
      if (begin > 0 && text_[begin - 1] == ']') read_link(block, false);
      [[fallthrough]];
    case ')':
    case '}':
    case '$':
    case '\\':
    case '`':
      add(block, FeatureKind::kShape, 4 + mark, begin, begin + 1);
      break;
    default:
      break;
  }
}

bool FeatureReader::next(FeatureBlock& block) {
  while (at_ < text_.size()) {
    block.begin = static_cast<std::uint32_t>(at_);
    block.count = 0;
    block.words = 0;
    std::size_t characters = 0;
    while (at_ < text_.size() && block.count + 16 < kMaxBlockFeatures) {
      const Folded folded = fold(text_, at_);
      const std::uint32_t c = folded.count > 0 ? folded.letters[0] : 0;
      const auto before = at_;
      if (folded.count == 0 || c == ' ') {
        at_ += folded.size;
      } else if (is_ideograph(c)) {
        const auto end = static_cast<std::uint32_t>(at_ + folded.size);
        const std::uint32_t single = mix(kHashSeed, c);
        if (last_ideograph_ != 0 && last_ideograph_end_ == at_) {
          const std::uint32_t pair = mix(mix(kHashSeed, last_ideograph_), c);
          add(block, FeatureKind::kWord, pair, static_cast<std::uint32_t>(at_), end);
          ++block.words;
          if (const Concept meaning = meaning_of_word(pair); meaning != Concept::kNone)
            take(block, meaning, static_cast<std::uint32_t>(at_), end);
        } else {
          add(block, FeatureKind::kWord, single, static_cast<std::uint32_t>(at_), end);
        }
        last_ideograph_ = c;
        last_ideograph_end_ = end;
        sentence_start_ = line_start_ = false;
        at_ += folded.size;
        characters += 2;
      } else if (is_word_letter(c)) {
        read_word(block);
      } else {
        read_mark(block, c);
        at_ += folded.size;
      }
      characters += count_characters(text_.substr(before, at_ - before));
      const bool at_border = sentence_start_ || line_start_;
      if (characters >= kBlockCharacters + 30 || (characters >= kBlockCharacters - 30 && at_border))
        break;
    }
    block.end = static_cast<std::uint32_t>(at_);
    if (block.words > 0) return true;
  }
  return false;
}

}  // namespace aispm::detect
