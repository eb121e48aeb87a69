// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <hs.h>

#include <cstdint>
#include <memory>
#include <string>
#include <string_view>
#include <vector>

#include "sdk/core/common/c_ptr.hpp"
#include "sdk/core/common/result.hpp"
#include "sdk/core/detect/needs.hpp"
#include "sdk/core/detect/rule.hpp"

// What block scanning needs of Hyperscan.
namespace aispm::detect {

using HsDatabase = std::shared_ptr<const hs_database_t>;
using HsScratch = CPtr<hs_scratch_t, hs_free_scratch>;

// Ids of patterns. They do not depend on how many rules there are, so that a database of some rules
// stays the same when others come after them.
inline constexpr std::uint32_t kRot13Id = 0;
inline constexpr std::uint32_t kReversedId = 1;
// A rule: reported once.
constexpr std::uint32_t rule_id(std::uint32_t rule) { return 2 + 2 * rule; }
// A piece that stands in every match of a rule: all its places are reported.
constexpr std::uint32_t piece_id(std::uint32_t rule) { return 3 + 2 * rule; }
constexpr bool is_turned(std::uint32_t id) { return id < rule_id(0); }
constexpr bool is_piece(std::uint32_t id) { return !is_turned(id) && id % 2 == 1; }
constexpr std::uint32_t rule_of(std::uint32_t id) { return id / 2 - 1; }

// One pattern to look for; many may have the same id.
struct HsPattern {
  std::string text;
  bool caseless = false;
  std::uint32_t id = 0;
  TextNeeds needs = {};  // of texts worth asking about
};

bool is_caseless(const Rule& rule, std::string_view pattern);

// The Hyperscan form of a pattern with its rule's borders. It may match more than the rule
// (Automata::resolve decides), never less.
Result<HsPattern> prefilter_pattern(const std::vector<Rule>& rules, std::uint32_t index,
                                    std::string_view pattern);

// Adds the patterns of a database of these words in ROT13 and backwards, if there are any: short
// ones are left out, since they are others turned round. Words by themselves are next to nothing to
// look for; among patterns of other kinds they cost thirty times as much.
void add_turned_database(const std::vector<std::string>& words,
                         std::vector<std::vector<HsPattern>>& databases);

// A block database. kInvalid names the rule that does not compile.
Result<HsDatabase> compile_block(const std::vector<Rule>& rules,
                                 const std::vector<HsPattern>& patterns);

// hs_scan of a text that may end where memory ends. On processors with AVX-512 VBMI, Hyperscan 5.4
// reads up to 32 bytes beyond the text (VectorCamp/vectorscan issue 322), which faults where the
// next page is not mapped: a text that ends so near a page's end is scanned in a copy.
hs_error_t scan_block(const hs_database_t* database, std::string_view text, hs_scratch_t* scratch,
                      match_event_handler on_match, void* context);

}  // namespace aispm::detect
