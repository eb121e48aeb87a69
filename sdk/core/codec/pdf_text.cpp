// SPDX-License-Identifier: Apache-2.0
// Source: ISO 32000-1, sections 7.3 (objects and streams) and 9.4 (what pages show).
#include <algorithm>
#include <cstdlib>
#include <initializer_list>

#include "sdk/core/codec/media_reader.hpp"

namespace aispm::codec {
namespace {

constexpr std::size_t kNone = std::string_view::npos;
// A gap in thousandths of a letter's height that is as wide as a space.
constexpr double kSpaceWidth = 180;

bool is_space(char c) { return c == ' ' || (c >= '\t' && c <= '\r') || c == '\0'; }
bool is_digit(char c) { return c >= '0' && c <= '9'; }
bool is_letter(char c) { return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z'); }

// Reads what a page shows from its operators: strings, the gaps between them, and new lines.
class Page {
 public:
  explicit Page(std::string_view operators) : from_(operators) {}

  std::string read() {
    while (at_ < from_.size()) step();
    return std::move(words_);
  }

 private:
  void step() {
    const char c = from_[at_];
    if (c == '(') return read_string();
    if (c == '%') return skip_to('\n');
    if (c == '<' && at_ + 1 < from_.size() && from_[at_ + 1] != '<') return skip_to('>');
    if (c == '[' || c == ']') is_array_ = c == '[';
    if (is_digit(c) || c == '-' || c == '.') return read_number();
    if (is_letter(c) || c == '\'' || c == '"' || c == '/') return read_operator();
    ++at_;
  }

  void skip_to(char end) { at_ = std::min(from_.find(end, at_), from_.size() - 1) + 1; }

  void read_string() {
    int depth = 0;
    std::string bytes;
    for (; at_ < from_.size(); ++at_) {
      const char c = from_[at_];
      if (c == '\\') {
        read_escape(bytes);
        continue;
      }
      if (c == '(' && depth++ == 0) continue;
      if (c == ')' && --depth == 0) break;
      bytes.push_back(c);
    }
    ++at_;
    for (const char c : bytes) {
      const auto byte = static_cast<std::uint8_t>(c);
      if (byte < 0x20 || byte == 0x7f) continue;
      if (byte >= 0x80) words_.push_back(static_cast<char>(0xc0 | byte >> 6U));  // Latin-1, nearly
      words_.push_back(byte < 0x80 ? c : static_cast<char>(0x80 | (byte & 0x3fU)));
    }
  }

  // At a backslash; leaves the place at the escape's last byte.
  void read_escape(std::string& bytes) {
    if (++at_ >= from_.size()) return;
    const char c = from_[at_];
    if (c >= '0' && c <= '7') {
      unsigned value = 0;
      std::size_t digits = 0;
      for (; digits < 3 && at_ < from_.size() && from_[at_] >= '0' && from_[at_] <= '7'; ++digits)
        value = value * 8 + static_cast<unsigned>(from_[at_++] - '0');
      --at_;
      bytes.push_back(static_cast<char>(value));
    } else if (c == 'n' || c == 'r' || c == 't') {
      bytes.push_back(' ');
    } else if (c != '\n' && c != '\r') {
      bytes.push_back(c);
    }
  }

  void read_number() {
    const std::size_t begin = at_;
    while (at_ < from_.size() && (is_digit(from_[at_]) || from_[at_] == '-' || from_[at_] == '.'))
      ++at_;
    last_ = std::strtod(std::string(from_.substr(begin, at_ - begin)).c_str(), nullptr);
    if (is_array_ && last_ < -kSpaceWidth) end_word(' ');
  }

  void read_operator() {
    const std::size_t begin = at_++;
    while (at_ < from_.size() && (is_letter(from_[at_]) || from_[at_] == '*' ||
                                  (from_[begin] == '/' && !is_space(from_[at_]) &&
                                   std::string_view("/<>[]()%").find(from_[at_]) == kNone)))
      ++at_;
    const std::string_view name = from_.substr(begin, at_ - begin);
    const bool moves = name == "Td" || name == "TD";
    if (name == "T*" || name == "'" || name == "\"" || name == "Tm" || name == "ET" ||
        (moves && last_ != 0))
      end_word('\n');
    else if (moves)
      end_word(' ');
    else if (name == "ID")
      at_ = std::min(from_.find("EI", at_), from_.size());  // a picture among the operators
  }

  void end_word(char with) {
    if (!words_.empty() && !is_space(words_.back())) words_.push_back(with);
  }

  std::string_view from_;
  std::size_t at_ = 0;
  bool is_array_ = false;
  double last_ = 0;
  std::string words_;
};

bool shows_text(std::string_view operators) {
  return operators.find("BT") != kNone &&
         (operators.find("Tj") != kNone || operators.find("TJ") != kNone);
}

bool says_any(std::string_view dictionary, std::initializer_list<std::string_view> names) {
  return std::any_of(names.begin(), names.end(),
                     [&](std::string_view name) { return dictionary.find(name) != kNone; });
}

// ASCII base-85, up to its end or the first byte that is none of it.
std::string decode_85(std::string_view letters) {
  std::string bytes;
  std::uint64_t group = 0;
  std::size_t count = 0;
  const auto flush = [&](std::size_t size) {
    for (std::size_t i = 0; i < size; ++i)
      bytes.push_back(static_cast<char>(group >> (24 - 8 * i) & 0xffU));
    group = count = 0;
  };
  for (const char c : letters) {
    if (is_space(c)) continue;
    if (c == 'z' && count == 0) {
      flush(4);
      continue;
    }
    if (c < '!' || c > 'u') break;
    group = group * 85 + static_cast<std::uint64_t>(c - '!');
    if (++count == 5) flush(4);
  }
  if (count < 2) return bytes;
  const std::size_t size = count - 1;
  for (; count < 5; ++count) group = group * 85 + 84;
  flush(size);
  return bytes;
}

void read_stream(std::string_view dictionary, std::string_view data, MediaText& out) {
  if (says_any(dictionary, {"/Image"})) {
    if (says_any(dictionary, {"/DCTDecode"})) read_picture(data, out);
    return;
  }
  // Programs of fonts, colours, and places of objects.
  if (says_any(dictionary,
               {"/Length1", "/Type1C", "/CIDFontType0C", "/OpenType", "/XRef", "/ICCBased"}))
    return;
  std::string decoded;
  if (says_any(dictionary, {"/ASCII85Decode"})) data = decoded = decode_85(data);
  std::string inflated;
  if (says_any(dictionary, {"/FlateDecode"})) {
    inflated = out.inflate(data);
    data = inflated;
  }
  if (shows_text(data))
    out.take_words(Page(data).read());
  else
    out.take(data);
}

// Where the bytes of the next stream begin; kNone: there is none.
std::size_t find_stream(std::string_view bytes, std::size_t from) {
  for (std::size_t at = from; (at = bytes.find("stream", at)) != kNone; ++at) {
    std::size_t begin = at + 6;
    if (slice(bytes, begin, 1) == "\r") ++begin;
    if (slice(bytes, begin, 1) != "\n") continue;
    std::size_t before = at;
    while (before > from && is_space(bytes[before - 1])) --before;
    if (bytes.substr(from, before - from).ends_with(">>")) return begin + 1;
  }
  return kNone;
}

// Places of objects are numbers in columns and nothing to judge.
void take_objects(std::string_view bytes, MediaText& out) {
  const std::size_t table = bytes.find("\nxref");
  const std::size_t trailer = table == kNone ? kNone : bytes.find("trailer", table);
  if (trailer == kNone) return out.take(bytes);
  const std::string_view rows = bytes.substr(table + 5, trailer - table - 5);
  const bool is_table = std::all_of(rows.begin(), rows.end(), [](char c) {
    return is_space(c) || is_digit(c) || c == 'n' || c == 'f';
  });
  if (!is_table) return out.take(bytes);
  out.take(bytes.substr(0, table));
  out.take(bytes.substr(trailer));
}

}  // namespace

bool read_pdf(std::string_view bytes, MediaText& out) {
  if (!bytes.starts_with("%PDF-")) return false;
  std::size_t at = 0;
  bool has_pages = false;
  for (;;) {
    const std::size_t begin = find_stream(bytes, at);
    const std::size_t end = begin == kNone ? kNone : bytes.find("endstream", begin);
    if (end == kNone) break;
    const std::string_view objects = bytes.substr(at, begin - at);
    take_objects(objects, out);
    const std::size_t object = objects.rfind(" obj");
    read_stream(objects.substr(object == kNone ? 0 : object), bytes.substr(begin, end - begin),
                out);
    has_pages = true;
    at = end;
  }
  const std::string_view rest = bytes.substr(at);
  take_objects(rest, out);
  return has_pages && rest.find("%%EOF") != kNone;
}

}  // namespace aispm::codec
