// SPDX-License-Identifier: Apache-2.0
#include "sdk/core/detect/screen.hpp"

#include "sdk/core/detect/encoded.hpp"
#include "sdk/core/detect/trigger.hpp"

namespace aispm::detect {
namespace {

// Joins texts. A match may end before it and start after it whatever a rule's borders are, since
// compile() refuses to rely on it otherwise; one that only exists because of it costs a scan.
constexpr char kSeparator = '\0';

Result<bool> takes_as_border(const std::vector<Rule>& rules) {
  for (const Rule& rule : rules) {
    for (const std::string* border : {&rule.not_after, &rule.not_before}) {
      if (border->empty()) continue;
      AISPM_TRY(const ByteSet set, parse_class(*border));
      if (set.test(static_cast<std::uint8_t>(kSeparator))) return false;
    }
  }
  return true;
}

struct Question {
  const std::vector<Rule>* rules;
  SurfaceBits surfaces;
};

int on_match(unsigned rule, unsigned long long, unsigned long long, unsigned, void* context) {
  const auto& question = *static_cast<const Question*>(context);
  return ((*question.rules)[rule].surfaces & question.surfaces) != 0 ? 1 : 0;  // 1 ends the scan
}

Result<bool> fires(const std::vector<HsDatabase>& databases, std::string_view text,
                   hs_scratch_t* scratch, Question question) {
  for (const HsDatabase& database : databases) {
    const hs_error_t status =
        hs_scan(database.get(), text.data(), static_cast<unsigned>(text.size()), 0, scratch,
                on_match, &question);
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
  for (const std::string& pattern : rule.triggers.empty() ? rule.patterns : rule.triggers) {
    AISPM_TRY(const Node node, parse_pattern(pattern, rule.caseless));
    if (auto trigger = rule.triggers.empty() ? derive_trigger(node) : std::nullopt) {
      patterns.together.push_back({std::move(*trigger), false, index});
      continue;
    }
    AISPM_TRY(HsPattern whole, prefilter_pattern(rules, index, pattern));
    (is_sparse(node) ? patterns.apart : patterns.together).push_back(std::move(whole));
  }
  return {};
}

}  // namespace

Result<Screen> Screen::compile(const std::vector<Rule>& rules) {
  Screen screen;
  AISPM_TRY(const bool can_join, takes_as_border(rules));
  if (!can_join) return screen;
  Patterns patterns;
  for (std::uint32_t index = 0; index < rules.size(); ++index)
    AISPM_CHECK(add_rule(rules, index, patterns));
  if (!patterns.together.empty()) {
    AISPM_TRY(HsDatabase database, compile_block(rules, patterns.together));
    screen.databases_.push_back(std::move(database));
  }
  for (HsPattern& pattern : patterns.apart) {
    AISPM_TRY(HsDatabase database, compile_block(rules, {std::move(pattern)}));
    screen.databases_.push_back(std::move(database));
  }
  return screen;
}

Result<bool> Screen::may_match(const std::vector<Rule>& rules,
                               std::span<const std::string_view> texts, SurfaceBits surfaces,
                               bool encoded, hs_scratch_t* scratch, Buffers& buffers) const {
  if (databases_.empty()) return true;
  const Question question{&rules, surfaces};
  std::string_view all;
  if (texts.size() == 1) {
    all = texts.front();
  } else {
    buffers.joined.clear();
    for (const std::string_view text : texts) buffers.joined.append(text).push_back(kSeparator);
    all = buffers.joined;
  }
  AISPM_TRY(bool fired, fires(databases_, all, scratch, question));
  if (!fired && !is_ascii(all)) {
    normalise(all, buffers.shadow);
    AISPM_TRY(fired, fires(databases_, buffers.shadow.text, scratch, question));
  }
  if (fired || !encoded) return fired;
  for (auto run = find_encoded_run(all, 0); run;
       run = find_encoded_run(all, run->offset + run->length)) {
    if (!decode_run(all.substr(run->offset, run->length), buffers.decoded)) continue;
    AISPM_TRY(fired, fires(databases_, buffers.decoded, scratch, question));
    if (fired) return true;
  }
  return false;
}

}  // namespace aispm::detect
