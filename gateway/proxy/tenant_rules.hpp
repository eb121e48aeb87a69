// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <map>
#include <string>
#include <string_view>

#include "sdk/core/common/result.hpp"

namespace aispm::gateway {

// Packs that were given to a running gateway, by tenant: `<folder>/<tenant>.yaml`. No folder ("")
// holds none. One thread at a time.
using TenantPacks = std::map<std::string, std::string, std::less<>>;

// What is loaded from the folder decides what passes: kDenied where anybody else may put anything
// there.
Result<> check_own_folder(const std::string& folder);

class TenantRuleFiles {
 public:
  static constexpr std::size_t kMaxNameBytes = 64;

  explicit TenantRuleFiles(std::string folder) : folder_(std::move(folder)) {}

  // Letters, digits, `.`, `_`, `-`; does not begin with a dot. kInvalid says so.
  static Result<> check_name(std::string_view tenant);

  // All of them. A folder that does not exist yet holds none; one that others may write to, or a
  // file that is too large or strangely named, is an error.
  Result<TenantPacks> load() const;
  // Whole or not at all, and on disk when it returns.
  Result<> write(const std::string& tenant, const std::string& pack) const;
  Result<> remove(const std::string& tenant) const;

 private:
  std::string path_of(std::string_view tenant) const;
  std::string folder_;
};

}  // namespace aispm::gateway
