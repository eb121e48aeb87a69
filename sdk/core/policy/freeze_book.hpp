// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <cstdint>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "sdk/core/common/time.hpp"
#include "sdk/core/policy/glob.hpp"

// Who may do nothing any more: freezes and kill switches of operators.
namespace aispm::policy {

enum class FreezeScope : std::uint8_t { kAgent, kSession, kUser, kModel, kTenant, kAll };
std::string_view name_of(FreezeScope scope);

struct Freeze {
  std::string id;
  FreezeScope scope = FreezeScope::kAll;
  Glob value;          // a name; agents and models may be globs; ignored for kAll
  bool kills = false;  // what runs is ended, too
  std::string reason;
  std::string created_by;
  std::optional<WallTime> expires;
};

// Whom to look for; what is not known stays empty and no freeze by it fits.
struct FreezeSubject {
  std::string_view agent = {};
  std::string_view session = {};
  std::string_view user = {};
  std::string_view model = {};
  std::string_view tenant = {};  // empty: the book's own
};

// Immutable; any thread.
class FreezeBook {
 public:
  static constexpr std::size_t kMaxFreezes = 256;

  FreezeBook() = default;
  // `tenant`: of whoever names none.
  explicit FreezeBook(std::vector<Freeze> freezes, std::string tenant = {},
                      std::uint64_t version = 0);
  // Nobody may do anything: what is in force is not known.
  static std::shared_ptr<const FreezeBook> closed(std::string reason);

  // A freeze that is in force at `now` and fits, one that kills before others; null: none.
  // Allocates nothing.
  const Freeze* find(const FreezeSubject& subject, WallTime now) const;

  bool empty() const { return freezes_.empty(); }
  const std::vector<Freeze>& freezes() const { return freezes_; }
  std::uint64_t version() const { return version_; }
  const std::string& tenant() const { return tenant_; }  // of whoever names none; "" not known yet

 private:
  std::vector<Freeze> freezes_;  // those that kill first
  std::string tenant_;
  std::uint64_t version_ = 0;  // of the collector's snapshot
};

// The user in an agent's name: "alice/codex" is alice's. Empty where there is none.
std::string_view user_of_agent(std::string_view agent);

}  // namespace aispm::policy
