// SPDX-License-Identifier: Apache-2.0
#include "sdk/core/detect/screen.hpp"

#include <algorithm>

#include "sdk/core/detect/broken_words.hpp"
#include "sdk/core/detect/encoded.hpp"
#include "sdk/core/detect/trigger.hpp"
#include "sdk/core/detect/unescape.hpp"

namespace aispm::detect {
namespace {

// Longer texts are asked about as they are: they have enough of everything, and the look at them is
// not for free.
constexpr std::size_t kMaxShapedBytes = 4U << 10;

struct Question {
  const std::vector<Rule>* rules;
  Screen::Wanted wanted;
};

int on_match(unsigned id, unsigned long long, unsigned long long, unsigned, void* context) {
  const auto& question = *static_cast<const Question*>(context);
  const Screen::Wanted& wanted = question.wanted;
  // 1 ends the scan. Rules about data are not asked of turned words.
  if (is_turned(id)) return wanted.deeper && !wanted.secrets_only ? 1 : 0;
  const Rule& rule = (*question.rules)[rule_of(id)];
  if (wanted.secrets_only && rule.category != Category::kSecret) return 0;
  return (rule.surfaces & wanted.surfaces) != 0 ? 1 : 0;
}

Result<bool> fires(const std::vector<Screen::Part>& parts, std::string_view text,
                   hs_scratch_t* scratch, Question question) {
  std::optional<TextShape> shape;
  if (text.size() <= kMaxShapedBytes) shape = shape_of(text);
  for (const Screen::Part& part : parts) {
    if (!part.answers(question.wanted) || (shape && !part.needs.are_met_by(*shape))) continue;
    const hs_error_t status = scan_block(part.database.get(), text, scratch, on_match, &question);
    if (status == HS_SCAN_TERMINATED) return true;
    if (status != HS_SUCCESS) return fail(Errc::kInternal, "Hyperscan: scan failed");
  }
  return false;
}

struct Patterns {
  std::vector<HsPattern> together;
  std::vector<HsPattern> apart;  // each in a database of its own
};

Result<> add_rule(const std::vector<Rule>& rules, std::uint32_t index, Patterns& patterns) {
  const Rule& rule = rules[index];
  if (rule.reads == Reads::kLetters) return {};  // disguise is a sign of its own
  for (const std::string& pattern : rule.triggers.empty() ? rule.patterns : rule.triggers) {
    AISPM_TRY(const Node node, parse_pattern(pattern, rule.caseless));
    if (auto trigger = rule.triggers.empty() ? derive_trigger(node) : std::nullopt) {
      patterns.together.push_back({std::move(*trigger), false, rule_id(index)});
      continue;
    }
    AISPM_TRY(HsPattern whole, prefilter_pattern(rules, index, pattern));
    whole.needs = needs_of(node);
    (is_sparse(node) ? patterns.apart : patterns.together).push_back(std::move(whole));
  }
  return {};
}

}  // namespace

Result<std::optional<char>> Screen::separator(const std::vector<Rule>& rules) {
  ByteSet taken;
  for (const Rule& rule : rules) {
    for (const std::string* border : {&rule.not_after, &rule.not_before}) {
      if (border->empty()) continue;
      AISPM_TRY(const ByteSet set, parse_class(*border));
      taken |= set;
    }
  }
  for (const char c : std::string_view("\0\1\2\3\4\5\6\7\x0e\x0f\x1f", 11))
    if (!taken.test(static_cast<std::uint8_t>(c))) return c;
  return std::nullopt;
}

Result<> Screen::add_databases(const std::vector<Rule>& rules, std::uint32_t begin,
                               std::uint32_t end, const std::vector<std::string>& words,
                               std::vector<std::vector<HsPattern>>& databases) {
  Patterns patterns;
  for (std::uint32_t index = begin; index < end; ++index)
    AISPM_CHECK(add_rule(rules, index, patterns));
  if (!patterns.together.empty()) databases.push_back(std::move(patterns.together));
  add_turned_database(words, databases);
  for (HsPattern& pattern : patterns.apart) databases.push_back({std::move(pattern)});
  return {};
}

Screen::Part Screen::describe(const std::vector<Rule>& rules,
                              const std::vector<HsPattern>& patterns, HsDatabase database) {
  Part part;
  part.database = std::move(database);
  if (!patterns.empty()) part.needs = patterns.front().needs;
  for (const HsPattern& pattern : patterns) {
    part.needs = part.needs.or_else(pattern.needs);
    if (is_turned(pattern.id)) {
      part.has_turned_words = true;
      continue;
    }
    const Rule& rule = rules[rule_of(pattern.id)];
    part.surfaces |= rule.surfaces;
    if (rule.category == Category::kSecret) part.secret_surfaces |= rule.surfaces;
  }
  return part;
}

struct Screen::Asked {
  const ScanTables& tables;
  Question question;
  hs_scratch_t* scratch;
  Buffers& buffers;
  bool is_joined = false;  // several texts with the separator between them
};

namespace {

bool has_signal(const ScanTables& tables, std::string_view text, std::vector<SignalHit>& hits) {
  hits.clear();
  SignalTracker tracker;
  for (std::size_t at = 0; at < text.size();) {
    Decoded unit = decode_utf8(text, at);
    if (unit.size == 0) unit = {kInvalidByte, 1};
    tracker.step(unit.code_point, at, at + unit.size, hits);
    at += unit.size;
  }
  tracker.finish(hits);
  return std::any_of(hits.begin(), hits.end(), [&](const SignalHit& hit) {
    return !(*tables.signal_rules)[static_cast<std::size_t>(hit.signal)].empty();
  });
}

}  // namespace

// Encodings: what they hold is asked the same.
Result<bool> Screen::may_hide(const Asked& asked, std::string_view text, std::string_view reading,
                              unsigned depth) const {
  Buffers::Level& level = asked.buffers.levels[depth];
  // Nor of words that must be mended.
  if (!asked.question.wanted.secrets_only) {
    if (has_broken_words(reading, *asked.tables.vocabulary)) return true;
    if (respell(reading, asked.buffers.respelling, level.unescaped) != Respelled::kNot) return true;
  }
  // One of them stands between texts that are asked together, so there they hide nothing unless an
  // encoding does.
  const bool joined = asked.is_joined;
  if (unescape(text, level.unescaped, joined) != Trick::kNone) {
    if (joined && count_controls(level.unescaped.text) != count_controls(text)) return true;
    AISPM_TRY(const bool may, may_hold(asked, level.unescaped.text, depth + 1));
    if (may) return true;
  }
  for (const Trick kind : {Trick::kBase64, Trick::kBinary, Trick::kMorse, Trick::kHex}) {
    for (auto run = find_encoded_run(text, 0, kind); run;
         run = find_encoded_run(text, run->offset + run->length, kind)) {
      const std::string_view bytes = text.substr(run->offset, run->length);
      if (kind == Trick::kBase64 && decode_packed(bytes, level.decoded)) return true;
      if (!decode_run(bytes, kind, level.decoded)) continue;
      if (joined && count_controls(level.decoded) != 0) return true;
      AISPM_TRY(const bool may, may_hold(asked, level.decoded, depth + 1));
      if (may) return true;
    }
  }
  return false;
}

Result<bool> Screen::may_hold(const Asked& asked, std::string_view text, unsigned depth) const {
  if (depth > kMaxDepth) return true;
  AISPM_TRY(bool fired, fires(parts_, text, asked.scratch, asked.question));
  if (fired) return true;
  std::string_view reading = text;
  if (!is_ascii(text)) {
    Shadow& folded = asked.buffers.levels[depth].folded;
    normalise(text, folded);
    AISPM_TRY(fired, fires(parts_, folded.text, asked.scratch, asked.question));
    if (fired || (depth == 0 && has_signal(asked.tables, text, asked.buffers.hits))) return true;
    reading = folded.text;
  }
  if (!asked.question.wanted.deeper) return false;
  return may_hide(asked, text, reading, depth);
}

Result<bool> Screen::may_match(const ScanTables& tables, std::span<const std::string_view> texts,
                               const Wanted& wanted, hs_scratch_t* scratch,
                               Buffers& buffers) const {
  if (parts_.empty()) return true;
  Asked asked{tables, {tables.rules, wanted}, scratch, buffers};
  const auto is_plain = [](std::string_view text) { return count_controls(text) == 0; };
  if (separator_ && texts.size() > 1 && std::all_of(texts.begin(), texts.end(), is_plain)) {
    asked.is_joined = true;
    buffers.joined.clear();
    for (const std::string_view text : texts) buffers.joined.append(text).push_back(*separator_);
    return may_hold(asked, buffers.joined, 0);
  }
  for (const std::string_view text : texts) {
    AISPM_TRY(const bool may, may_hold(asked, text, 0));
    if (may) return true;
  }
  return false;
}

}  // namespace aispm::detect
