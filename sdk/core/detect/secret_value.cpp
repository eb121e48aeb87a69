// SPDX-License-Identifier: Apache-2.0
#include "sdk/core/detect/secret_value.hpp"

#include <algorithm>
#include <array>
#include <cmath>
#include <cstdint>
#include <span>

#include "sdk/core/detect/example_value.hpp"

namespace aispm::detect {
namespace {

bool is_digit(char c) { return c >= '0' && c <= '9'; }
bool is_letter(char c) { return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z'); }
char lower(char c) { return c >= 'A' && c <= 'Z' ? static_cast<char>(c + 32) : c; }

bool holds_any(std::string_view text, std::span<const std::string_view> words) {
  const auto same = [](char a, char b) { return lower(a) == b; };
  return std::any_of(words.begin(), words.end(), [&](std::string_view word) {
    return std::search(text.begin(), text.end(), word.begin(), word.end(), same) != text.end();
  });
}

std::size_t longest_run(std::string_view text) {
  std::size_t longest = 0;
  std::size_t run = 0;
  for (std::size_t i = 0; i < text.size(); ++i) {
    run = i > 0 && lower(text[i]) == lower(text[i - 1]) ? run + 1 : 1;
    longest = std::max(longest, run);
  }
  return longest;
}

// An instance variable of Ruby and what it holds: `@user.password`.
bool is_member(std::string_view text) {
  return text.size() > 1 && text.front() == '@' &&
         std::all_of(text.begin() + 1, text.end(),
                     [](char c) { return (c >= 'a' && c <= 'z') || c == '_' || c == '.'; });
}

// `$NAME`, `%NAME%` or `@name`.
bool is_variable(std::string_view text) {
  if (is_member(text)) return true;
  if (text.size() < 2 || (text.front() != '$' && text.front() != '%')) return false;
  if (text.front() == '%' && text.back() == '%') text.remove_suffix(1);
  return std::all_of(text.begin() + 1, text.end(),
                     [](char c) { return is_letter(c) || is_digit(c) || c == '_'; });
}

struct Shape {
  std::size_t letters = 0;
  std::size_t digits = 0;
  std::size_t number_changes = 0;  // between letters and digits
  std::size_t changes = 0;         // between upper case, lower case and digits
  std::size_t capitals = 0;
};

Shape shape_of(std::string_view text) {
  Shape shape;
  char last = 0;
  for (const char c : text) {
    const char kind = is_digit(c) ? '0' : c >= 'A' && c <= 'Z' ? 'A' : is_letter(c) ? 'a' : '\0';
    if (kind == 0) continue;
    ++(kind == '0' ? shape.digits : shape.letters);
    shape.capitals += kind == 'A' ? 1U : 0U;
    if (last != 0 && kind != last) {
      ++shape.changes;
      shape.number_changes += kind == '0' || last == '0' ? 1U : 0U;
    }
    last = kind;
  }
  return shape;
}

bool is_uuid(std::string_view text) {
  constexpr std::string_view kForm = "xxxxxxxx-xxxx-xxxx-xxxx-xxxxxxxxxxxx";
  return text.size() == kForm.size() &&
         std::equal(text.begin(), text.end(), kForm.begin(), [](char c, char form) {
           return form == '-' ? c == '-' : is_digit(c) || (lower(c) >= 'a' && lower(c) <= 'f');
         });
}

// One unbroken piece that nobody would write as a name.

bool is_random_piece(std::string_view piece) {
  constexpr std::size_t kMinPiece = 12;
  constexpr std::size_t kLongPiece = 20;
  constexpr std::size_t kMinDigitPercent = 12;
  if (piece.size() < kMinPiece) return false;
  const Shape shape = shape_of(piece);
  if (shape.letters == 0 || entropy(piece) < 2.8) return false;
  if (shape.digits >= 2 && shape.number_changes >= 3 &&
      shape.digits * 100 >= kMinDigitPercent * piece.size())
    return true;
  // "NetSockPeerAddrKey" is a name: of random letters more are capitals.
  const bool is_name = shape.digits == 0 && shape.capitals * 3 <= piece.size();
  if (!is_name && shape.changes * 10 >= piece.size() * 5) return true;
  return piece.size() >= kLongPiece && shape.digits >= 2;
}

// Calls `take(piece)` with every piece between signs, until it says true.
template <typename Take>
bool any_piece(std::string_view text, Take&& take) {
  std::size_t begin = 0;
  for (std::size_t i = 0; i <= text.size(); ++i) {
    if (i < text.size() && (is_digit(text[i]) || is_letter(text[i]))) continue;
    if (i > begin && take(text.substr(begin, i - begin))) return true;
    begin = i + 1;
  }
  return false;
}

// One sign over and over fills a form: "AKIAXXXXXXXXXXXXXXXX". Not where a random piece is left
// ("xoxa-2-511111111-...-e039d02840a0b9379c").
bool is_filled(std::string_view text) {
  constexpr std::size_t kFiller = 6;
  return longest_run(text) >= kFiller && !any_piece(text, [](std::string_view piece) {
           return longest_run(piece) < kFiller && is_random_piece(piece);
         });
}

// Groups of letters and digits: "2FTJTA1C-BXO0DV4J-HGTP9E62".
bool is_grouped(std::string_view text) {
  constexpr std::size_t kMinGroup = 4;
  constexpr std::size_t kMinText = 16;
  std::size_t groups = 0;
  std::size_t mixed = 0;
  any_piece(text, [&](std::string_view piece) {
    const Shape shape = shape_of(piece);
    ++groups;
    mixed += piece.size() >= kMinGroup && shape.letters > 0 && shape.digits > 0 &&
             shape.number_changes + shape.digits >= 3;
    return false;
  });
  return text.size() >= kMinText && mixed >= 2 && mixed * 3 >= groups * 2;
}

// All of one kind: nobody calls anything by twenty digits, capitals or letters in a row.
bool is_solid_piece(std::string_view piece) {
  constexpr std::size_t kMinPiece = 20;
  constexpr std::size_t kLongPiece = 24;
  constexpr std::size_t kFewChanges = 3;  // names that long have more words
  if (piece.size() < kMinPiece) return false;
  const Shape shape = shape_of(piece);
  const bool is_hex = std::all_of(piece.begin(), piece.end(), [](char c) {
    return is_digit(c) || (lower(c) >= 'a' && lower(c) <= 'f');
  });
  const bool is_plain = piece.size() >= kLongPiece && shape.changes <= kFewChanges;
  return shape.changes == 0 || is_hex || is_plain;
}

// Not what a manual writes where a password stands.

bool same_letters(std::string_view text, std::string_view word) {
  return std::equal(text.begin(), text.end(), word.begin(), word.end(),
                    [](char a, char b) { return lower(a) == b; });
}

bool is_one_of(std::string_view text, std::span<const std::string_view> words) {
  return std::any_of(words.begin(), words.end(),
                     [&](std::string_view word) { return same_letters(text, word); });
}

bool is_name_of_password(std::string_view text) {
  constexpr std::string_view kNames[] = {
      "password", "passwd", "pass",   "pwd",        "passphrase", "username",  "user",   "string",
      "token",    "apikey", "value",  "required",   "optional",   "hidden",    "text",   "xxx",
      "true",     "false",  "mypass", "mypassword", "userpass",   "password1", "string!"};
  return is_one_of(text, kNames);
}

// A word as a reader takes it, without memory of its own.
struct PlainWord {
  static constexpr std::size_t kMaxBytes = 32;  // longer ones are no word
  std::array<char, kMaxBytes> bytes{};
  std::size_t size = 0;

  std::string_view text() const { return {bytes.data(), size}; }
};

// Small letters, signs that look like letters as such, and without up to four digits and signs of
// exclamation at the end.
PlainWord without_ornament(std::string_view text) {
  constexpr std::size_t kMaxTail = 4;
  constexpr std::string_view kSigns = "@$0134";
  constexpr std::string_view kLetters = "asoiea";
  PlainWord plain;
  if (text.size() > PlainWord::kMaxBytes) return plain;
  for (std::size_t i = 0; i < kMaxTail && !text.empty(); ++i) {
    if (!is_digit(text.back()) && text.back() != '!') break;
    text.remove_suffix(1);
  }
  for (const char c : text) {
    const auto sign = kSigns.find(c);
    plain.bytes.at(plain.size++) = sign == std::string_view::npos ? lower(c) : kLetters[sign];
  }
  return plain;
}

// What manuals and tests write where rules want two kinds of characters: "P@ssw0rd1!", "secret2".
bool is_demo_password(std::string_view text) {
  constexpr std::string_view kNumbered[] = {"secret", "test", "demo", "example", "changeme"};
  const PlainWord word = without_ornament(text);
  const std::string_view plain = word.text();
  const bool is_word = std::all_of(plain.begin(), plain.end(), is_letter);
  return (is_word && plain.ends_with("password")) || is_name_of_password(plain) ||
         is_one_of(plain, kNumbered);
}

// What follows "the password is" in manuals: how it is kept.

bool is_technical(std::string_view text) {
  constexpr std::string_view kBegins[] = {"base64", "sha-1", "sha1",   "sha2",  "sha-2", "sha5",
                                          "md5",    "utf8",  "utf-8",  "utf16", "x509",  "oauth2",
                                          "ipv4",   "ipv6",  "pbkdf2", "http",  "ldap",  "iso-"};
  return std::any_of(std::begin(kBegins), std::end(kBegins), [&](std::string_view word) {
    return same_letters(text.substr(0, word.size()), word);
  });
}

}  // namespace

double entropy(std::string_view text) {
  if (text.empty()) return 0;
  std::array<std::uint32_t, 256> counts{};
  for (const char c : text) ++counts[static_cast<std::uint8_t>(c)];
  double bits = 0;
  const double total = static_cast<double>(text.size());
  for (const std::uint32_t count : counts) {
    if (count == 0) continue;
    const double share = count / total;
    bits -= share * std::log2(share);
  }
  return bits;
}

bool is_no_dummy(std::string_view text) {
  constexpr std::string_view kWords[] = {
      "placeholder", "your_",     "your-", "yourkey",    "yourtoken", "yourpass",
      "changeme",    "change_me", "${",    "redacted",   "dummy",     "****",
      "....",        "{{",        "<",     "$(",         "tokenhere", "_here",
      "-here",       "insert",    "xxxx",  "stringhere", "my-bot"};
  const bool cut = text.ends_with("..");  // "eyJhbGciOi...": nobody can use it
  return !cut && !is_filled(text) && !holds_any(text, kWords) && !repeats_group(text) &&
         !is_token_header(text) && !is_encoded_words(text) && !is_published(text);
}

bool is_no_reference(std::string_view text) {
  if (is_variable(text)) return false;
  constexpr std::string_view kWords[] = {"process.env", "os.environ", "getenv",  "env.",
                                         "environ",     "secrets.",   "config.", "settings.",
                                         "vault:",      "/secret",    "self.",   "this."};
  return !holds_any(text, kWords);
}

bool is_no_placeholder(std::string_view text) {
  constexpr std::string_view kWords[] = {
      "example",  "replace",    "todo",       "sample",      "notasecret", "not_real", "fake",
      "key_here", "1234567890", "abcdefghij", "test_key",    "my_secret",  "mysecret", "lorem",
      "none",     "null",       "undefined",  "password123", "token123"};
  return is_no_dummy(text) && is_no_reference(text) && !holds_any(text, kWords);
}

bool is_random(std::string_view text) {
  constexpr std::size_t kLong = 32;
  if (is_uuid(text) || is_grouped(text)) return true;
  if (any_piece(text, is_random_piece)) return true;
  const Shape shape = shape_of(text);
  return text.size() >= kLong && shape.changes * 10 >= text.size() * 4;
}

bool is_solid(std::string_view text) { return is_random(text) || any_piece(text, is_solid_piece); }

bool is_no_password_word(std::string_view text) {
  if (text.ends_with('@')) text.remove_suffix(1);  // of an address
  // "dbpassword", "mysecretpassword"
  constexpr std::string_view kEnd = "password";
  if (text.size() > kEnd.size() && same_letters(text.substr(text.size() - kEnd.size()), kEnd) &&
      std::all_of(text.begin(), text.end(), is_letter))
    return false;
  return !is_name_of_password(text);
}

bool is_password(std::string_view text) {
  if (is_variable(text) || is_technical(text)) return false;
  const Shape shape = shape_of(text);
  const bool strong_sign = text.find_first_of("!@#$%^&*+~?") != std::string_view::npos;
  return is_no_password_word(text) && !is_demo_password(text) &&
         ((shape.letters > 0 && shape.digits > 0) || (strong_sign && shape.letters > 2));
}

bool is_strong_password(std::string_view text) {
  constexpr std::size_t kMinText = 8;
  const Shape shape = shape_of(text);
  const bool both_cases = shape.capitals > 0 && shape.capitals < shape.letters;
  const bool has_sign = text.find_first_of("!@#$%^&*~?") != std::string_view::npos;
  return text.size() >= kMinText && is_password(text) && shape.digits > 0 &&
         (both_cases || has_sign);
}

bool is_mixed(std::string_view text) {
  return std::any_of(text.begin(), text.end(), is_digit) &&
         std::any_of(text.begin(), text.end(), is_letter);
}

bool is_phrase(std::string_view text) {
  constexpr std::string_view kQuotes = "\"'`*";  // that end the match
  constexpr std::size_t kSayingPassword = 12;    // "thisismypassword", but not "dbpassword"
  constexpr std::string_view kSelf[] = {"password", "passwd", "passphrase", "pwd"};
  constexpr std::string_view kNone[] = {
      "enter",   "invalid", "incorrect", "missing", "please",  "wrong",   "current",
      "expired", "visible", "empty",     "valid",   "input",   "default", "bearer",
      "basic",   "plain",   "field",     "prompt",  "number",  "object",  "boolean",
      "unknown", "secret",  "always",    "never",   "present", "absent"};
  while (!text.empty() && kQuotes.find(text.back()) != std::string_view::npos)
    text.remove_suffix(1);
  if (is_variable(text) || is_technical(text) || is_name_of_password(text)) return false;
  if (is_one_of(text, kNone) || shape_of(text).letters == 0) return false;
  if (text.find_first_of("/\\(){}[]<>,;") != std::string_view::npos) return false;
  const bool is_plain = std::all_of(text.begin(), text.end(),
                                    [](char c) { return is_digit(c) || (c >= 'a' && c <= 'z'); });
  return !holds_any(text, kSelf) || (is_plain && text.size() >= kSayingPassword);
}

}  // namespace aispm::detect
