// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <cstdint>
#include <map>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "sdk/core/detect/cache_files.hpp"
#include "sdk/core/detect/rule.hpp"

struct hs_database;  // Hyperscan's

namespace aispm::detect {

class Dfa;
struct CompileJobs;
struct Compiled;

// Compiled rules on disk (cache_files.hpp), named by what they are made of: patterns, flags,
// Hyperscan's version and the CPU's class. So a changed rule or another machine finds nothing and
// compiles. A file that is damaged, or that others may write to, is made anew, and counted.
// What engines that still live hold is shared with them. One thread at a time; what must be
// compiled is, on all cores.
class DatabaseCache {
 public:
  static Result<DatabaseCache> open(const std::string& folder);
  // One that keeps nothing on disk.
  DatabaseCache() = default;

  // In the order of the jobs. kInvalid and kTooLarge name file, line and rule. A file that cannot
  // be written costs only the next start; counted.
  Result<Compiled> make(const std::vector<Rule>& rules, const CompileJobs& jobs);

  // Files: databases, and all automata that are not known yet as one.
  struct Counts {
    std::uint64_t loaded = 0;
    std::uint64_t compiled = 0;
    std::uint64_t damaged = 0;    // that were not what they say, or not only ours
    std::uint64_t unwritten = 0;  // that could not be kept
  };
  const Counts& counts() const { return counts_; }

 private:
  class Run;
  template <typename T>
  using Known = std::map<std::string, std::weak_ptr<T>>;  // by key

  std::optional<CacheFiles> files_;  // none = keeps nothing
  Known<const hs_database> databases_;
  Known<const Dfa> automata_;
  Counts counts_;
};

// Where a program keeps what it compiles: the service manager's CACHE_DIRECTORY, else
// /var/cache/aispm/NAME for root, else the user's own cache folder. "" when there is none.
std::string usual_cache_folder(const std::string& name);

}  // namespace aispm::detect
