// SPDX-License-Identifier: Apache-2.0
#include "sdk/core/detect/hyperscan.hpp"

#include "sdk/core/detect/pattern.hpp"

namespace aispm::detect {
namespace {

constexpr std::size_t kReadBeyond = 64;  // bytes
constexpr std::size_t kPage = 4096;
constexpr std::size_t kKeptCopy = 1U << 20;

// `text`, or a copy of it of which kReadBeyond bytes more may be read; lives until the next call on
// this thread.
std::string_view readable_beyond(std::string_view text) {
  const auto end = reinterpret_cast<std::uintptr_t>(text.data()) + text.size();
  if (kPage - (end - 1) % kPage > kReadBeyond) return text;
  thread_local std::string copy;
  if (copy.capacity() > kKeptCopy && text.size() < kKeptCopy) std::string().swap(copy);
  copy.reserve(text.size() + kReadBeyond);
  return copy.assign(text);
}

}  // namespace

using HsCompileError = CPtr<hs_compile_error_t, hs_free_compile_error>;

bool is_caseless(const Rule& rule, std::string_view pattern) {
  return rule.caseless || pattern.starts_with("(?i)");
}

Result<HsPattern> prefilter_pattern(const std::vector<Rule>& rules, std::uint32_t index,
                                    std::string_view pattern) {
  const Rule& rule = rules[index];
  HsPattern result{{}, is_caseless(rule, pattern), rule_id(index), {}};
  const bool bordered = rule.triggers.empty();  // a trigger may stand anywhere in a match
  if (bordered && !rule.not_after.empty()) {
    AISPM_TRY(const ByteSet set, parse_class(rule.not_after));
    result.text += "(?:^|" + to_class(~set) + ")";
  }
  if (pattern.starts_with("(?i)")) pattern.remove_prefix(4);
  result.text += "(?:" + std::string(pattern) + ")";
  if (bordered && !rule.not_before.empty()) {
    AISPM_TRY(const ByteSet set, parse_class(rule.not_before));
    result.text += "(?:" + to_class(~set) + "|\\z)";
  }
  return result;
}

void add_turned_database(const std::vector<std::string>& words,
                         std::vector<std::vector<HsPattern>>& databases) {
  constexpr std::size_t kMinTurned = 6;
  std::vector<HsPattern> patterns;
  for (const std::string& word : words) {
    if (word.size() < kMinTurned) continue;
    std::string turned = word;
    for (char& c : turned) c = static_cast<char>(c + (c < 'n' ? 13 : -13));
    patterns.push_back({std::move(turned), true, kRot13Id});
    std::string reversed(word.rbegin(), word.rend());
    if (reversed != word) patterns.push_back({std::move(reversed), true, kReversedId});
  }
  if (!patterns.empty()) databases.push_back(std::move(patterns));
}

Result<HsDatabase> compile_block(const std::vector<Rule>& rules,
                                 const std::vector<HsPattern>& patterns) {
  std::vector<const char*> texts;
  std::vector<unsigned> flags;
  std::vector<unsigned> ids;
  for (const HsPattern& pattern : patterns) {
    texts.push_back(pattern.text.c_str());
    flags.push_back((is_piece(pattern.id) ? 0U : HS_FLAG_SINGLEMATCH) |
                    (pattern.caseless ? HS_FLAG_CASELESS : 0U));
    ids.push_back(pattern.id);
  }
  hs_database_t* database = nullptr;
  hs_compile_error_t* raw_error = nullptr;
  const hs_error_t status =
      hs_compile_multi(texts.data(), flags.data(), ids.data(), static_cast<unsigned>(texts.size()),
                       HS_MODE_BLOCK, nullptr, &database, &raw_error);
  const HsCompileError error(raw_error);
  if (status == HS_SUCCESS) return HsDatabase(database, &hs_free_database);
  if (error == nullptr || error->expression < 0)
    return fail(Errc::kInternal, std::string("Hyperscan: ") + (error ? error->message : "failed"));
  const unsigned id = ids[static_cast<std::size_t>(error->expression)];
  if (is_turned(id)) return fail(Errc::kInternal, std::string("Hyperscan: ") + error->message);
  const Rule& rule = rules[rule_of(id)];
  return fail(Errc::kInvalid, rule.where + ": " + rule.id + ": Hyperscan: " + error->message);
}

hs_error_t scan_block(const hs_database_t* database, std::string_view text, hs_scratch_t* scratch,
                      match_event_handler on_match, void* context) {
  const std::string_view safe = readable_beyond(text);
  return hs_scan(database, safe.data(), static_cast<unsigned>(safe.size()), 0, scratch, on_match,
                 context);
}

}  // namespace aispm::detect
