// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <sys/stat.h>

#include <string>
#include <vector>

#include "sandbox/model/plan.hpp"
#include "sdk/core/common/result.hpp"
#include "sdk/core/common/unique_fd.hpp"

namespace aispm::sandbox {

// True for what a run made in the place of a protected path that does not exist.
bool is_placeholder(const struct stat& status);

// Empty folders that stand on the host for protected paths that do not exist, while a run lasts.
// Runs in the same workspace share them by locks, and the last one removes them. They are known by
// their mode and their time, so a run also clears away what a killed one left.
class Placeholders {
 public:
  // Makes what `plan.placeholders` names. Where the caller can make none, and so the agent neither,
  // the mount is taken out of the plan.
  static Result<Placeholders> open(Plan& plan);
  Placeholders(Placeholders&&) noexcept = default;
  Placeholders& operator=(Placeholders&&) = delete;
  ~Placeholders();

 private:
  struct One {
    UniqueFd parent;
    std::string name;
    UniqueFd itself;  // locked
  };
  Placeholders() = default;
  // Locks the placeholder at `path`, making it where nothing is. False: something else is there, or
  // it cannot be made by us and so not by the agent.
  enum class Found { kHeld, kOther, kImpossible };
  Result<Found> hold(const Placeholder& wanted, bool make);

  std::vector<One> held_;
};

}  // namespace aispm::sandbox
