// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <map>
#include <memory>
#include <mutex>
#include <string>
#include <string_view>

#include "sdk/core/detect/database_cache.hpp"
#include "sdk/core/detect/engine.hpp"

namespace aispm::detect {

// The shipped rules for everybody, and for some tenants the shipped ones with their own: added and
// taken away while scans go on. An engine in use lives as long as somebody holds it. Any thread;
// changes of rules wait for each other, and engine_of() never waits for a compilation.
class TenantEngines {
 public:
  static constexpr std::size_t kMaxTenants = 64;
  static constexpr std::size_t kMaxCustomBytes = 256U << 10;

  // Rules of `folder`. Errors as load_packs() and Engine::compile(). What is compiled for one
  // tenant serves all; a tenant's own rules cost their own time only.
  static Result<std::unique_ptr<TenantEngines>> open(std::string folder, DatabaseCache cache = {});

  // The engine of a tenant: its own, or the shared one.
  std::shared_ptr<const Engine> engine_of(std::string_view tenant) const;

  // Replaces a tenant's own rules by those of `pack` (YAML, as in a file): compiled beside,
  // examples run, then swapped in. On any error nothing changes; it names `tenant:line`. "" takes
  // them away. kTooLarge: more than kMaxCustomBytes, or kMaxTenants have rules.
  Result<> set_rules(const std::string& tenant, const std::string& pack);

  // Reads the folder again, for all tenants. On any error nothing changes.
  Result<> reload();

 private:
  struct Custom {
    std::string pack;
    std::shared_ptr<const Engine> engine;
  };
  using Tenants = std::map<std::string, Custom, std::less<>>;
  TenantEngines(std::string folder, DatabaseCache cache)
      : folder_(std::move(folder)), cache_(std::move(cache)) {}
  Result<std::shared_ptr<const Engine>> compile(const std::string& tenant, const std::string& pack);

  std::string folder_;
  std::mutex changes_;  // held while rules are compiled; guards the cache
  DatabaseCache cache_;
  mutable std::mutex mutex_;  // guards the next two, held briefly
  std::shared_ptr<const Engine> shared_;
  Tenants tenants_;
};

}  // namespace aispm::detect
