// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <string>
#include <string_view>
#include <vector>

#include "gateway/proxy/pipeline/text_judge.hpp"

namespace aispm::gateway {

// What the parts of one message say together: clients and models put them next to each other, so a
// secret may begin in one and end in the next. Each was judged before; only what stands at a seam
// is looked at here, by the rules. It cannot be cut out: what would be redacted is denied. Lives
// for one scan.
class SeamJudge {
 public:
  // Of a part, on each of its ends. No rule's match is complete in fewer bytes than its max_bytes,
  // which is 512 at most for nearly all.
  static constexpr std::size_t kBytes = 512;

  // Adds to `findings`, which must outlive it, as `context` must.
  SeamJudge(const ScanContext& context, policy::Direction direction, Findings& findings);

  // The next part, as its reader gets it: without what was cut out of it.
  void add(std::string_view text);
  // Of all that was added since last time. True: policy denies. An error: it could not be
  // inspected.
  Result<bool> judge(detect::Surface surface, const detect::Outcomes& outcomes);

 private:
  bool is_at_seam(std::uint64_t begin, std::uint64_t length) const;
  bool is_told(std::string_view rule) const;
  bool take_found(detect::Surface surface, const detect::Outcomes& outcomes);

  const ScanContext& context_;
  policy::Direction direction_;
  Findings& findings_;
  Findings seen_;
  TextJudge judge_;
  std::string text_;                // the ends of all parts
  std::vector<std::size_t> seams_;  // where two of them meet, ascending
};

}  // namespace aispm::gateway
