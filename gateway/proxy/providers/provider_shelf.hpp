// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <map>
#include <memory>
#include <mutex>
#include <string>
#include <vector>

#include "gateway/proxy/providers/provider.hpp"
#include "sdk/core/common/published.hpp"

namespace aispm::gateway {

// The providers in force. An exchange takes the set once and keeps it to its end, so a change drops
// nothing that is in flight. Any thread; changes go one after another under lock().
class ProviderShelf {
 public:
  using Set = std::shared_ptr<const ProviderSet>;
  // What an operator set for the running gateway, whatever the file says.
  struct Override {
    std::string origin;
    std::string who;
  };

  ProviderShelf(ProviderSet first, std::vector<ProviderConfig> configs);

  Set current() const { return set_.load(); }

  // Whoever changes holds it from what it looks at first to what it changes last.
  std::unique_lock<std::mutex> lock() const { return std::unique_lock(changes_); }

  // --- under lock()
  struct Prepared {
    Set set;
    std::vector<ProviderConfig> configs;
  };
  // A set as the file describes it, with what operators set. Changes nothing. kInvalid: names the
  // provider and what is wrong.
  Result<Prepared> prepare(std::vector<ProviderConfig> configs) const;
  void take(Prepared prepared);

  // In force at once, over reloads, until the process ends. The provider's key goes to the new
  // origin. kNotFound: no such provider; kInvalid: no origin.
  Result<> set_origin(const std::string& name, const std::string& origin, const std::string& who);
  // Back to what the file says. kNotFound: nothing was set.
  Result<> unset_origin(const std::string& name);

  const std::map<std::string, Override>& overrides() const { return overrides_; }

 private:
  Result<> put(std::map<std::string, Override> overrides);
  static Result<Set> open(const std::vector<ProviderConfig>& configs,
                          const std::map<std::string, Override>& overrides,
                          const ProviderSet& before);

  mutable std::mutex changes_;
  std::vector<ProviderConfig> configs_;  // as the file says
  std::map<std::string, Override> overrides_;
  Published<const ProviderSet> set_;
};

}  // namespace aispm::gateway
