// SPDX-License-Identifier: Apache-2.0
#include "sdk/core/detect/pattern.hpp"

#include <array>
#include <optional>

namespace aispm::detect {
namespace {

ByteSet range(unsigned low, unsigned high) {
  ByteSet set;
  for (unsigned byte = low; byte <= high; ++byte) set.set(byte);
  return set;
}

const ByteSet& ascii() {
  static const ByteSet set = range(0, 0x7f);
  return set;
}

// PCRE's \d \w \s in the C locale; upper case is the ASCII complement.
std::optional<ByteSet> shorthand(char letter) {
  switch (letter) {
    case 'd':
      return range('0', '9');
    case 'w':
      return range('0', '9') | range('A', 'Z') | range('a', 'z') | range('_', '_');
    case 's':
      return range('\t', '\r') | range(' ', ' ');
    case 'D':
    case 'W':
    case 'S':
      return ~*shorthand(static_cast<char>(letter - 'A' + 'a')) & ascii();
    default:
      return std::nullopt;
  }
}

void add_other_case(ByteSet& set) {
  for (unsigned letter = 'a'; letter <= 'z'; ++letter) {
    const unsigned upper = letter - 'a' + 'A';
    if (set.test(letter) || set.test(upper)) set.set(letter).set(upper);
  }
}

std::optional<unsigned> hex_digit(char letter) {
  if (letter >= '0' && letter <= '9') return letter - '0';
  if (letter >= 'a' && letter <= 'f') return letter - 'a' + 10;
  if (letter >= 'A' && letter <= 'F') return letter - 'A' + 10;
  return std::nullopt;
}

// Recursive descent; every function leaves `at_` behind what it read.
class Parser {
 public:
  Parser(std::string_view text, bool caseless) : text_(text), caseless_(caseless) {}

  Result<Node> whole() {
    if (text_.starts_with("(?i)")) {
      caseless_ = true;
      at_ = 4;
    }
    AISPM_TRY(Node node, alternation(0));
    if (at_ != text_.size()) return error("`)` without `(`");
    return node;
  }

  Result<ByteSet> single_class() {
    AISPM_TRY(const Node node, atom(0));
    if (node.kind != Node::Kind::kSet || at_ != text_.size())
      return error("allowed is one class such as \\w or [a-z-], or one character");
    return node.set;
  }

 private:
  tl::unexpected<Error> error(const std::string& what, Errc code = Errc::kInvalid) const {
    return fail(code, "pattern column " + std::to_string(at_ + 1) + ": " + what);
  }
  bool more() const { return at_ < text_.size(); }
  char peek() const { return text_[at_]; }
  bool take(char wanted) {
    if (!more() || peek() != wanted) return false;
    ++at_;
    return true;
  }

  Result<Node> alternation(std::size_t depth) {
    if (depth > kMaxPatternDepth) return error("groups are nested too deeply");
    Node either{Node::Kind::kAlternate, {}, {}, 0, 0};
    do {
      AISPM_TRY(Node branch, concatenation(depth));
      either.children.push_back(std::move(branch));
    } while (take('|'));
    if (either.children.size() == 1) return std::move(either.children.front());
    return either;
  }

  Result<Node> concatenation(std::size_t depth) {
    Node sequence{Node::Kind::kConcat, {}, {}, 0, 0};
    while (more() && peek() != '|' && peek() != ')') {
      AISPM_TRY(Node item, atom(depth));
      AISPM_TRY(Node repeated, repeat(std::move(item)));
      sequence.children.push_back(std::move(repeated));
    }
    return sequence;
  }

  Result<Node> atom(std::size_t depth) {
    if (!more()) return error("something to match is missing");
    const char letter = peek();
    switch (letter) {
      case '(':
        return group(depth);
      case '[':
        return char_class();
      case '.':
        ++at_;
        return set_node(ascii() & ~range('\n', '\n'));
      case '^':
      case '$':
        return error("anchors are not supported; use not_after and not_before", Errc::kUnsupported);
      case '?':
      case '*':
      case '+':
      case '{':
        return error("nothing to repeat (write \\" + std::string(1, letter) +
                     " for the character)");
      case '\\': {
        AISPM_TRY(const ByteSet set, escape());
        return set_node(set);
      }
      default:
        ++at_;
        return set_node(
            range(static_cast<std::uint8_t>(letter), static_cast<std::uint8_t>(letter)));
    }
  }

  Node set_node(ByteSet set) const {
    if (caseless_) add_other_case(set);
    return Node{Node::Kind::kSet, set, {}, 0, 0};
  }

  Result<Node> group(std::size_t depth) {
    ++at_;
    if (take('?') && !take(':'))
      return error("only (?:...) and a leading (?i) are supported", Errc::kUnsupported);
    AISPM_TRY(Node inner, alternation(depth + 1));
    if (!take(')')) return error("`)` is missing");
    return inner;
  }

  Result<Node> repeat(Node item) {
    while (more()) {
      std::uint32_t low = 0;
      std::uint32_t high = Node::kNoLimit;
      if (take('?')) {
        high = 1;
      } else if (take('+')) {
        low = 1;
      } else if (take('{')) {
        AISPM_TRY(low, number());
        high = low;
        if (take(',')) {
          high = Node::kNoLimit;
          if (more() && peek() != '}') {
            AISPM_TRY(high, number());
          }
        }
        if (!take('}')) return error("`}` is missing");
        if (high < low || high == 0) return error("a repeat must allow something");
      } else if (!take('*')) {
        break;
      }
      if (more() && (peek() == '?' || peek() == '+'))
        return error("lazy and possessive repeats are not supported: the longest match counts",
                     Errc::kUnsupported);
      Node outer{Node::Kind::kRepeat, {}, {}, low, high};
      outer.children.push_back(std::move(item));
      item = std::move(outer);
    }
    return item;
  }

  Result<std::uint32_t> number() {
    std::uint32_t value = 0;
    const std::size_t start = at_;
    while (more() && peek() >= '0' && peek() <= '9') {
      value = value * 10 + static_cast<std::uint32_t>(peek() - '0');
      if (value > kMaxRepeat) return error("a repeat may be at most " + std::to_string(kMaxRepeat));
      ++at_;
    }
    if (at_ == start) return error("a number is missing");
    return value;
  }

  Result<ByteSet> escape() {
    ++at_;
    if (!more()) return error("`\\` at the end");
    const char letter = text_[at_++];
    if (const auto set = shorthand(letter)) return *set;
    constexpr std::string_view kNames = "tnrf";
    constexpr std::string_view kValues = "\t\n\r\f";
    unsigned byte = static_cast<std::uint8_t>(letter);
    if (const auto index = kNames.find(letter); index != std::string_view::npos) {
      byte = static_cast<std::uint8_t>(kValues[index]);
    } else if (letter == 'x') {
      const auto high = more() ? hex_digit(text_[at_]) : std::nullopt;
      const auto low = at_ + 1 < text_.size() ? hex_digit(text_[at_ + 1]) : std::nullopt;
      if (!high || !low) return error("\\x needs two hex digits");
      byte = *high * 16 + *low;
      at_ += 2;
    } else if ((letter >= 'a' && letter <= 'z') || (letter >= 'A' && letter <= 'Z') ||
               (letter >= '0' && letter <= '9')) {
      return error(std::string("\\") + letter + " is not supported (no \\b, \\A, back-references)",
                   Errc::kUnsupported);
    }
    return range(byte, byte);
  }

  Result<Node> char_class() {
    ++at_;
    const bool negated = take('^');
    ByteSet set;
    bool first = true;
    while (first || !take(']')) {
      if (!more()) return error("`]` is missing");
      if (text_.substr(at_).starts_with("[:"))
        return error("POSIX classes are not supported", Errc::kUnsupported);
      AISPM_TRY(const ByteSet low, class_item());
      first = false;
      if (low.count() == 1 && at_ + 1 < text_.size() && peek() == '-' && text_[at_ + 1] != ']') {
        ++at_;
        AISPM_TRY(const ByteSet high, class_item());
        const std::size_t from = low._Find_first();
        const std::size_t to = high._Find_first();
        if (high.count() != 1 || to < from) return error("a range must go from low to high");
        set |= range(static_cast<unsigned>(from), static_cast<unsigned>(to));
      } else {
        set |= low;
      }
    }
    if (caseless_) add_other_case(set);  // before negation: [^a] must not match A
    if (negated) set = ~set & ascii();
    if (set.none()) return error("the class is empty");
    return Node{Node::Kind::kSet, set, {}, 0, 0};
  }

  Result<ByteSet> class_item() {
    if (!more()) return error("`]` is missing");
    if (peek() == '\\') return escape();
    const unsigned byte = static_cast<std::uint8_t>(text_[at_++]);
    return range(byte, byte);
  }

  std::string_view text_;
  bool caseless_;
  std::size_t at_ = 0;
};

}  // namespace

Result<Node> parse_pattern(std::string_view pattern, bool caseless) {
  return Parser(pattern, caseless).whole();
}

Result<ByteSet> parse_class(std::string_view text) { return Parser(text, false).single_class(); }

std::string to_class(const ByteSet& set) {
  constexpr std::string_view kDigits = "0123456789abcdef";
  const auto append = [&](std::string& out, std::size_t byte) {
    out += "\\x";
    out += kDigits[byte >> 4];
    out += kDigits[byte & 15];
  };
  std::string text = "[";
  for (std::size_t byte = 0; byte < set.size(); ++byte) {
    if (!set.test(byte)) continue;
    std::size_t last = byte;
    while (last + 1 < set.size() && set.test(last + 1)) ++last;
    append(text, byte);
    if (last > byte) {
      text += '-';
      append(text, last);
    }
    byte = last;
  }
  return text + "]";
}

}  // namespace aispm::detect
