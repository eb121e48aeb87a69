// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <cstdint>
#include <string>
#include <vector>

#include "sdk/core/detect/hyperscan.hpp"

namespace aispm::detect {

// Compiled databases on disk, one file each, named by what they are made of: patterns, flags,
// Hyperscan's version and the CPU's class. So a changed rule or another machine finds nothing and
// compiles; the newest kMaxFiles are kept. A file that is damaged is made anew, and counted. One
// thread.
class DatabaseCache {
 public:
  static constexpr std::size_t kMaxFileBytes = 256U << 20;
  static constexpr std::size_t kMaxFiles = 64;

  // The folder must belong to this user and not be writable by others, since what lies in it is
  // run: kDenied else. It is made when there is none.
  static Result<DatabaseCache> open(std::string folder);
  // One that keeps nothing.
  DatabaseCache() = default;

  // As compile_block(). A file that cannot be written costs only the next start; counted.
  Result<HsDatabase> get(const std::vector<Rule>& rules, const std::vector<HsPattern>& patterns);

  struct Counts {
    std::uint64_t loaded = 0;
    std::uint64_t compiled = 0;
    std::uint64_t damaged = 0;    // files that were not what they say
    std::uint64_t unwritten = 0;  // databases that could not be kept
  };
  const Counts& counts() const { return counts_; }

 private:
  std::string folder_;  // "" = keeps nothing
  Counts counts_;
};

}  // namespace aispm::detect
