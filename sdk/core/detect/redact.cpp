// SPDX-License-Identifier: Apache-2.0
#include "sdk/core/detect/redact.hpp"

#include <algorithm>

#include "sdk/core/detect/engine.hpp"

namespace aispm::detect {
namespace {

constexpr std::size_t kMaxShownText = 160;
constexpr std::size_t kMaxStars = 24;

bool is_continuation(char byte) { return (static_cast<std::uint8_t>(byte) & 0xc0) == 0x80; }

// At most `limit` bytes, not ending within a UTF-8 character; control characters become spaces.
std::string shown_text(std::string_view text, std::size_t limit) {
  std::size_t size = std::min(text.size(), limit);
  while (size > 0 && size < text.size() && is_continuation(text[size])) --size;
  std::string shown(text.substr(0, size));
  for (char& c : shown)
    if (static_cast<std::uint8_t>(c) < 0x20 || c == 0x7f) c = ' ';
  return size < text.size() ? shown + "..." : shown;
}

// A byte that may stand in evidence by itself.
char shown_byte(char c) { return c > 0x20 && c < 0x7f ? c : '*'; }

std::string edges(std::string_view text, std::size_t head, std::size_t tail) {
  std::string masked;
  for (const char c : text.substr(0, head)) masked += shown_byte(c);
  masked.append(std::clamp<std::size_t>(text.size() - head - tail, 4, kMaxStars), '*');
  for (const char c : text.substr(text.size() - tail)) masked += shown_byte(c);
  return masked;
}

}  // namespace

std::string mask(std::string_view matched, Mask style) {
  switch (style) {
    case Mask::kText:
      return shown_text(matched, kMaxShownText);
    case Mask::kEdges:
      // Never more than a third of what is to be kept secret.
      if (matched.size() >= 24) return edges(matched, 4, 4);
      if (matched.size() >= 12) return edges(matched, 2, 2);
      return edges(matched, 0, 0);
    case Mask::kLast:
      return edges(matched, 0, matched.size() >= 8 ? 2 : 0);
    case Mask::kAll:
      break;
  }
  return "[" + std::to_string(matched.size()) + " bytes]";
}

void append_redaction(const Rule& rule, std::string& out) {
  out += "[REDACTED:";
  out += rule.id;
  out += ']';
}

std::size_t redact(const std::vector<Rule>& rules, std::string_view text,
                   std::span<const Match> matches, const Outcomes& outcomes, std::string& out) {
  std::size_t count = 0;
  std::uint64_t done = 0;  // everything before is in `out` or replaced
  for (const Match& match : matches) {
    const model::Outcome outcome = outcomes[match.rule];
    if (outcome != model::Outcome::kRedact && outcome != model::Outcome::kDeny) continue;
    const std::uint64_t end = match.offset + match.length;
    if (match.offset < done) {
      done = std::max(done, end);  // overlaps the replacement before it
      continue;
    }
    out += text.substr(done, match.offset - done);
    append_redaction(rules[match.rule], out);
    done = end;
    ++count;
  }
  out += text.substr(done);
  return count;
}

model::Detection describe_evidence(const Rule& rule, const Match& match, std::string evidence,
                                   Surface surface) {
  model::Detection detection;
  detection.rule_id = rule.id;
  detection.category = name_of(rule.category);
  detection.severity = rule.severity_on(surface);
  detection.confidence = rule.confidence_on(surface);
  detection.surface = name_of(surface);
  detection.offset = match.offset;
  detection.length = match.length;
  detection.evidence = std::move(evidence);
  detection.message = rule.message;
  detection.tags = rule.tags;
  if (!rule.family.empty()) detection.features.push_back("family: " + rule.family);
  if (!rule.label.empty()) detection.features.push_back("label: " + rule.label);
  if (match.trick != Trick::kNone)
    detection.features.push_back("hidden: " + std::string(name_of(match.trick)));
  return detection;
}

model::Detection describe(const Rule& rule, const Match& match, std::string_view text,
                          Surface surface) {
  // What stands in an encoded run may be a secret whatever rule found it.
  const Mask style = match.encoded ? Mask::kAll : rule.mask;
  return describe_evidence(rule, match, mask(text.substr(match.offset, match.length), style),
                           surface);
}

}  // namespace aispm::detect
