// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <hs.h>

#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

#include "sdk/core/common/c_ptr.hpp"
#include "sdk/core/common/result.hpp"
#include "sdk/core/detect/rule.hpp"
#include "sdk/core/detect/vocabulary.hpp"

// What block scanning needs of Hyperscan.
namespace aispm::detect {

using HsDatabase = CPtr<hs_database_t, hs_free_database>;
using HsScratch = CPtr<hs_scratch_t, hs_free_scratch>;

// One pattern to look for; many may belong to one rule.
struct HsPattern {
  std::string text;
  bool caseless = false;
  std::uint32_t rule = 0;
};

bool is_caseless(const Rule& rule, std::string_view pattern);

// The Hyperscan form of a pattern with its rule's borders. It may match more than the rule
// (Automata::resolve decides), never less.
Result<HsPattern> prefilter_pattern(const std::vector<Rule>& rules, std::uint32_t index,
                                    std::string_view pattern);

// Adds the vocabulary in ROT13 and backwards, with rot13_id() and reversed_id(): short words are
// left out, since they are others turned round.
void add_turned_words(const std::vector<Rule>& rules, const Vocabulary& vocabulary,
                      std::vector<HsPattern>& patterns);

// A block database that reports each rule once. kInvalid names the rule that does not compile.
Result<HsDatabase> compile_block(const std::vector<Rule>& rules,
                                 const std::vector<HsPattern>& patterns);

}  // namespace aispm::detect
