// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <cstdint>
#include <functional>
#include <string>
#include <string_view>
#include <unordered_map>
#include <vector>

#include "sdk/core/policy/rules.hpp"

namespace aispm::policy {

// Finds the first matching rule without asking all of them: a rule that names one detection rule,
// agent, model or provider is only asked when that name is at hand. Rules without any such name are
// asked always.
class RuleIndex {
 public:
  RuleIndex() = default;
  RuleIndex(const std::vector<PolicyRule>& rules, Direction direction);

  // The first rule (in file order) that matches, or nullptr. Does not allocate.
  const PolicyRule* find(const std::vector<PolicyRule>& rules, const Context& context,
                         const Fact& fact) const;
  bool depends_on_context() const { return depends_on_context_; }

 private:
  struct Hash {
    using is_transparent = void;
    std::size_t operator()(std::string_view text) const {
      return std::hash<std::string_view>()(text);
    }
  };
  using List = std::vector<std::uint32_t>;  // rule numbers, ascending
  using Names = std::unordered_map<std::string, List, Hash, std::equal_to<>>;

  Names by_rule_id_;
  Names by_agent_;
  Names by_model_;
  Names by_provider_;
  List always_;
  bool depends_on_context_ = false;
};

}  // namespace aispm::policy
