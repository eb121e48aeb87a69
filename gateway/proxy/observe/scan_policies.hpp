// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <map>
#include <memory>
#include <mutex>
#include <string>
#include <string_view>

#include "gateway/proxy/observe/observe_config.hpp"
#include "gateway/proxy/rule_book.hpp"

namespace aispm::gateway {

// The policies that callers of the scan API may name. Any thread; one at a time reloads.
class ScanPolicies {
 public:
  using Configs = std::map<std::string, ScanPolicyConfig, std::less<>>;
  using Loaded = std::map<std::string, std::shared_ptr<const policy::Policy>, std::less<>>;

  // `configs` must outlive it.
  explicit ScanPolicies(const Configs& configs) : configs_(configs) {}

  bool knows(std::string_view name) const { return configs_.find(name) != configs_.end(); }

  // The two halves of a reload: reads and checks all of them; puts them in force.
  Result<Loaded> load() const;
  void take(Loaded loaded);

  // The rules of `book` judged by that policy instead of the book's own. kNotFound: there is no
  // policy of that name for this tenant.
  Result<std::shared_ptr<const RuleBook>> apply(std::string_view name, std::string_view tenant,
                                                const std::shared_ptr<const RuleBook>& book);

 private:
  static constexpr std::size_t kMaxKept = 256;
  struct Kept {
    std::weak_ptr<const RuleBook> from;
    std::shared_ptr<const RuleBook> made;
  };
  const Configs& configs_;
  mutable std::mutex mutex_;
  Loaded loaded_;
  std::map<std::pair<std::string, const RuleBook*>, Kept> kept_;
};

}  // namespace aispm::gateway
