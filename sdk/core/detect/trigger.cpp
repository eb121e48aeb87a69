// SPDX-License-Identifier: Apache-2.0
#include "sdk/core/detect/trigger.hpp"

#include <algorithm>

namespace aispm::detect {
namespace {

constexpr std::size_t kSureSet = 4;     // classes up to this many bytes count as a character
constexpr std::size_t kNarrowSet = 8;   // e.g. \s: may repeat without end within a trigger
constexpr std::uint32_t kFewTimes = 4;  // bounded repeats up to this many times are cheap

struct Trigger {
  std::size_t sure_bytes = 0;
  std::string text;
};

bool has_wide_set(const Node& node) {
  if (node.kind == Node::Kind::kSet) return node.set.count() > kNarrowSet;
  return std::any_of(node.children.begin(), node.children.end(), has_wide_set);
}

// Repeats something wide often, here or inside.
bool is_wide(const Node& node) {
  if (node.kind == Node::Kind::kRepeat && node.high > kFewTimes &&
      has_wide_set(node.children.front()))
    return true;
  return std::any_of(node.children.begin(), node.children.end(), is_wide);
}

std::size_t sure_bytes(const Node& node) {
  std::size_t total = 0;
  switch (node.kind) {
    case Node::Kind::kSet:
      return node.set.count() <= kSureSet ? 1 : 0;
    case Node::Kind::kConcat:
      for (const Node& child : node.children) total += sure_bytes(child);
      return total;
    case Node::Kind::kAlternate:
      total = SIZE_MAX;
      for (const Node& child : node.children) total = std::min(total, sure_bytes(child));
      return total;
    case Node::Kind::kRepeat:
      return node.low * sure_bytes(node.children.front());
  }
  return 0;
}

void write(const Node& node, std::string& out) {
  switch (node.kind) {
    case Node::Kind::kSet:
      out += to_class(node.set);
      return;
    case Node::Kind::kConcat:
      for (const Node& child : node.children) write(child, out);
      return;
    case Node::Kind::kAlternate:
      out += "(?:";
      for (std::size_t i = 0; i < node.children.size(); ++i) {
        if (i > 0) out += '|';
        write(node.children[i], out);
      }
      out += ')';
      return;
    case Node::Kind::kRepeat:
      out += "(?:";
      write(node.children.front(), out);
      out += "){" + std::to_string(node.low) + ',';
      if (node.high != Node::kNoLimit) out += std::to_string(node.high);
      out += '}';
      return;
  }
}

void flatten(const Node& node, std::vector<const Node*>& items) {
  if (node.kind != Node::Kind::kConcat) return items.push_back(&node);
  for (const Node& child : node.children) flatten(child, items);
}

std::optional<Trigger> find_trigger(const Node& node);

// Every branch must have one, since any of them may be the match.
std::optional<Trigger> trigger_of_branches(const Node& node) {
  Trigger all{SIZE_MAX, "(?:"};
  for (const Node& branch : node.children) {
    const auto one = find_trigger(branch);
    if (!one) return std::nullopt;
    all.sure_bytes = std::min(all.sure_bytes, one->sure_bytes);
    if (all.text.size() > 3) all.text += '|';
    all.text += one->text;
  }
  all.text += ')';
  return all;
}

std::optional<Trigger> find_trigger(const Node& node) {
  std::vector<const Node*> items;
  flatten(node, items);
  Trigger best;
  Trigger piece;
  const auto offer = [&](const Trigger& candidate) {
    if (candidate.sure_bytes > best.sure_bytes) best = candidate;
  };
  for (const Node* item : items) {
    if (!is_wide(*item)) {
      piece.sure_bytes += sure_bytes(*item);
      write(*item, piece.text);
      continue;
    }
    offer(piece);
    piece = {};
    std::optional<Trigger> inner;
    if (item->kind == Node::Kind::kAlternate) inner = trigger_of_branches(*item);
    if (item->kind == Node::Kind::kRepeat && item->low > 0)
      inner = find_trigger(item->children.front());
    if (inner) offer(*inner);
  }
  offer(piece);
  if (best.sure_bytes < kMinTriggerBytes) return std::nullopt;
  return best;
}

}  // namespace

bool is_sparse(const Node& pattern) {
  constexpr std::size_t kHardly = 2;
  return is_wide(pattern) && sure_bytes(pattern) <= kHardly;
}

std::optional<std::string> derive_trigger(const Node& pattern) {
  if (!is_wide(pattern)) return std::nullopt;
  auto found = find_trigger(pattern);
  if (!found) return std::nullopt;
  return std::move(found->text);
}

}  // namespace aispm::detect
