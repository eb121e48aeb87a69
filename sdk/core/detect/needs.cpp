// SPDX-License-Identifier: Apache-2.0
#include "sdk/core/detect/needs.hpp"

#include <algorithm>
#include <array>

namespace aispm::detect {
namespace {

constexpr std::uint32_t kMost = 1U << 20;  // counts stop there: nested repeats multiply

bool is_digit(std::uint8_t byte) { return byte >= '0' && byte <= '9'; }
bool is_run(std::uint8_t byte) {
  return is_digit(byte) || (byte >= 'a' && byte <= 'z') || (byte >= 'A' && byte <= 'Z') ||
         byte == '_' || byte == '-';
}

template <typename Is>
ByteSet make_set(Is is) {
  ByteSet set;
  for (std::size_t byte = 0; byte < set.size(); ++byte)
    if (is(static_cast<std::uint8_t>(byte))) set.set(byte);
  return set;
}
const ByteSet kDigits = make_set(is_digit);
const ByteSet kRun = make_set(is_run);

std::uint32_t times(std::uint32_t count, std::uint32_t each) {
  return static_cast<std::uint32_t>(std::min<std::uint64_t>(kMost, std::uint64_t{count} * each));
}

// What is known of every match of a node: bytes [0, prefix) and the last `suffix` of them are of a
// run; `inner` is the longest run anywhere. `is_whole`: all of it is one run, of at least `prefix`
// bytes.
struct Runs {
  std::uint32_t prefix = 0;
  std::uint32_t suffix = 0;
  std::uint32_t inner = 0;
  bool is_whole = true;
};

Runs join(const Runs& left, const Runs& right) {
  Runs both;
  both.is_whole = left.is_whole && right.is_whole;
  const auto sum = [](std::uint32_t a, std::uint32_t b) { return std::min(kMost, a + b); };
  both.prefix = left.is_whole ? sum(left.prefix, right.prefix) : left.prefix;
  both.suffix = right.is_whole ? sum(right.suffix, left.suffix) : right.suffix;
  both.inner = std::max({left.inner, right.inner, sum(left.suffix, right.prefix)});
  return both;
}

Runs weaker(const Runs& left, const Runs& right) {
  return {std::min(left.prefix, right.prefix), std::min(left.suffix, right.suffix),
          std::min(left.inner, right.inner), left.is_whole && right.is_whole};
}

Runs runs_of(const Node& node) {
  Runs runs;
  switch (node.kind) {
    case Node::Kind::kSet:
      if ((node.set & ~kRun).none()) return {1, 1, 1, true};
      return {0, 0, 0, false};
    case Node::Kind::kConcat:
      for (const Node& child : node.children) runs = join(runs, runs_of(child));
      return runs;
    case Node::Kind::kAlternate:
      runs = runs_of(node.children.front());
      for (const Node& child : node.children) runs = weaker(runs, runs_of(child));
      return runs;
    case Node::Kind::kRepeat: {
      const Runs one = runs_of(node.children.front());
      if (one.is_whole) {
        const std::uint32_t least = times(node.low, one.prefix);
        return {least, least, least, true};
      }
      if (node.low == 0) return {0, 0, 0, false};
      return node.low == 1 ? one : join(one, one);
    }
  }
  return runs;
}

std::uint32_t digits_of(const Node& node) {
  std::uint32_t total = 0;
  switch (node.kind) {
    case Node::Kind::kSet:
      return (node.set & ~kDigits).none() ? 1 : 0;
    case Node::Kind::kConcat:
      for (const Node& child : node.children) total = std::min(kMost, total + digits_of(child));
      return total;
    case Node::Kind::kAlternate:
      total = kMost;
      for (const Node& child : node.children) total = std::min(total, digits_of(child));
      return total;
    case Node::Kind::kRepeat:
      return times(node.low, digits_of(node.children.front()));
  }
  return total;
}

// The smallest set of which a byte stands in every match, among those without a byte of a run and
// without white space: marks are rare, letters are not. Full: there is none.
ByteSet marks_of(const Node& node) {
  static const ByteSet kCommon = kRun | make_set([](std::uint8_t byte) { return byte <= ' '; });
  const ByteSet none = ByteSet().set();
  ByteSet best = none;
  switch (node.kind) {
    case Node::Kind::kSet:
      return (node.set & kCommon).none() ? node.set : none;
    case Node::Kind::kConcat:
      for (const Node& child : node.children)
        if (const ByteSet one = marks_of(child); one.count() < best.count()) best = one;
      return best;
    case Node::Kind::kAlternate:
      best.reset();
      for (const Node& child : node.children) best |= marks_of(child);
      return best;
    case Node::Kind::kRepeat:
      return node.low == 0 ? none : marks_of(node.children.front());
  }
  return best;
}

}  // namespace

TextShape shape_of(std::string_view text) {
  static constexpr std::uint8_t kInRun = 1, kIsDigit = 2;
  static const auto kinds = [] {
    std::array<std::uint8_t, 256> table{};
    for (std::size_t byte = 0; byte < table.size(); ++byte)
      table[byte] = static_cast<std::uint8_t>((kRun.test(byte) ? kInRun : 0) |
                                              (kDigits.test(byte) ? kIsDigit : 0));
    return table;
  }();
  TextShape shape;
  std::array<std::uint64_t, 4> present{};
  std::uint32_t run = 0;
  for (const char c : text) {
    const auto byte = static_cast<std::uint8_t>(c);
    const std::uint8_t kind = kinds[byte];
    present[byte / 64] |= std::uint64_t{1} << (byte % 64);
    run = (kind & kInRun) != 0 ? run + 1 : 0;
    shape.run = std::max(shape.run, run);
    shape.digits += kind / kIsDigit;
  }
  for (std::size_t word = present.size(); word-- > 0;)
    shape.present = shape.present << 64 | ByteSet(present[word]);
  return shape;
}

TextNeeds TextNeeds::or_else(const TextNeeds& other) const {
  return {std::min(digits, other.digits), std::min(run, other.run), one_of | other.one_of};
}

TextNeeds needs_of(const Node& pattern) {
  return {digits_of(pattern), runs_of(pattern).inner, marks_of(pattern)};
}

}  // namespace aispm::detect
