// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "sdk/core/detect/hyperscan.hpp"
#include "sdk/core/detect/normalise.hpp"

namespace aispm::detect {

// A cheap question before the scan: could any rule match in any of these texts? Nearly always the
// answer is no, and then nothing needs to be scanned one by one. It looks for what every match of a
// rule must hold (trigger.hpp), in all texts at once, joined by a byte that every rule takes for a
// border. Immutable; any thread.
class Screen {
 public:
  // Working memory of one thread.
  struct Buffers {
    std::string joined;
    Shadow shadow;
    std::string decoded;
  };

  static Result<Screen> compile(const std::vector<Rule>& rules);

  // `surfaces` has a bit for each Surface that the texts stand on; `encoded` also looks into base64
  // and hex. False only if no rule of these surfaces matches anywhere. kInternal: Hyperscan failed.
  Result<bool> may_match(const std::vector<Rule>& rules, std::span<const std::string_view> texts,
                         SurfaceBits surfaces, bool encoded, hs_scratch_t* scratch,
                         Buffers& buffers) const;

  // All that scratch must be allocated for.
  const std::vector<HsDatabase>& databases() const { return databases_; }

 private:
  std::vector<HsDatabase> databases_;  // none: everything may match
};

}  // namespace aispm::detect
