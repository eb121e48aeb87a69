// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "sdk/core/detect/deep_scan.hpp"
#include "sdk/core/detect/hyperscan.hpp"
#include "sdk/core/detect/normalise.hpp"

namespace aispm::detect {

// A cheap question before the scan: could any rule match in any of these texts? Nearly always the
// answer is no, and then nothing needs to be scanned one by one. It looks for what every match of a
// rule must hold (trigger.hpp), in all texts at once where they can be joined, and for signs of
// disguise. Immutable; any thread.
class Screen {
 public:
  // Working memory of one thread.
  struct Buffers {
    struct Level {
      Shadow folded;
      Shadow unescaped;
      std::string decoded;
    };
    std::string joined;
    std::array<Level, kMaxDepth + 1> levels;
    std::vector<SignalHit> hits;
    RespellBuffers respelling;
  };

  // A byte to join texts with: a match may end before it and start after it, whatever the borders
  // of these rules are; one that only exists because of it costs a scan. None: texts are asked
  // about one by one.
  static Result<std::optional<char>> separator(const std::vector<Rule>& rules);
  // Adds the patterns of each database that the rules [begin, end) and these words need.
  static Result<> add_databases(const std::vector<Rule>& rules, std::uint32_t begin,
                                std::uint32_t end, const std::vector<std::string>& words,
                                std::vector<std::vector<HsPattern>>& databases);

  struct Wanted {
    SurfaceBits surfaces = 0;   // a bit for each Surface that the texts stand on
    bool deeper = true;         // also in encodings and disguises
    bool secrets_only = false;  // rules of other categories do not count
  };
  // A database and what it can say: whether a question needs it. A call costs most of what it costs
  // for any text, however short.
  struct Part {
    HsDatabase database;
    SurfaceBits surfaces = 0;         // of all its rules
    SurfaceBits secret_surfaces = 0;  // of those of category secret
    bool has_turned_words = false;
    TextNeeds needs = {};  // of any of its rules

    bool answers(const Wanted& wanted) const {
      if (wanted.secrets_only) return (secret_surfaces & wanted.surfaces) != 0;
      return (surfaces & wanted.surfaces) != 0 || (has_turned_words && wanted.deeper);
    }
  };
  // `patterns` are those that `database` was made of.
  static Part describe(const std::vector<Rule>& rules, const std::vector<HsPattern>& patterns,
                       HsDatabase database);

  Screen() = default;  // everything may match
  Screen(std::vector<Part> parts, std::optional<char> separator)
      : parts_(std::move(parts)), separator_(separator) {}

  // False only if no wanted rule matches anywhere. kInternal: Hyperscan failed.
  Result<bool> may_match(const ScanTables& tables, std::span<const std::string_view> texts,
                         const Wanted& wanted, hs_scratch_t* scratch, Buffers& buffers) const;

  // All that scratch must be allocated for.
  const std::vector<Part>& parts() const { return parts_; }

 private:
  struct Asked;
  Result<bool> may_hold(const Asked& asked, std::string_view text, unsigned depth) const;
  Result<bool> may_hide(const Asked& asked, std::string_view text, std::string_view reading,
                        unsigned depth) const;

  std::vector<Part> parts_;  // none: everything may match
  std::optional<char> separator_;
};

}  // namespace aispm::detect
