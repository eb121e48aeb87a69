// SPDX-License-Identifier: Apache-2.0
#pragma once

#include "sdk/core/common/yaml.hpp"
#include "sdk/core/detect/rule.hpp"

namespace aispm::detect {

// One entry of `rules:`; what is wrong with it is reported into `map`. `category` is the pack's.
Rule read_rule(const YamlMap& map, Category category);

// A whole pack, added to `rules`; what is wrong with it is reported into `root`.
void read_pack(const YamlMap& root, RuleSet& rules);

// `surfaces:`; all of them where it is left out.
SurfaceBits read_surfaces(const YamlMap& map);

// The pack's `thresholds:`, for its category.
void read_thresholds(const YamlMap& root, Category category, RuleSet& rules);

}  // namespace aispm::detect
