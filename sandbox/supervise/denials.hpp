// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <chrono>
#include <cstdint>
#include <map>
#include <vector>

#include "sandbox/model/denial.hpp"

namespace aispm::sandbox {

// Folds equal denials into one event each. A batch comes out 2 ms after its first denial, after ten
// in a row 50 ms after it, and after thirty once a second; a run that rests earns one back each
// second. Distinct denials of one batch beyond `kMaxDistinct` are counted under the target
// "(others)": the number is right, the names are cut. Not thread-safe.
class Denials {
 public:
  using Clock = std::chrono::steady_clock;
  static constexpr std::size_t kMaxDistinct = 256;

  void add(Denial denial, std::uint64_t count, Clock::time_point now);
  // When the next batch is due; nothing is pending when it is time_point::max().
  Clock::time_point due() const { return due_; }
  std::vector<FoldedDenial> take();
  std::uint64_t total() const { return total_; }

 private:
  struct Folded {
    std::uint64_t count = 0;
    Clock::time_point first;
    Clock::time_point last;
  };
  std::map<Denial, Folded> pending_;
  Clock::time_point due_ = Clock::time_point::max();
  std::uint64_t total_ = 0;
  Clock::time_point spent_until_;  // the allowance of batches, each worth a second
};

}  // namespace aispm::sandbox
