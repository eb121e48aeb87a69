// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <sys/types.h>

#include <optional>

#include "sandbox/launch.hpp"
#include "sdk/core/common/unique_fd.hpp"

namespace aispm::sandbox {

// A launch in a process of its own, for a launch takes over signals and the standard streams. It
// ends with the object, and with the process that started it.
class ChildLaunch {
 public:
  // The descriptors become its standard streams. `host` and `options` are used within the call.
  static Result<ChildLaunch> start(const Host& host, const LaunchOptions& options, int input,
                                   int output, int errors);
  ChildLaunch(ChildLaunch&& other) noexcept;
  ChildLaunch& operator=(ChildLaunch&&) = delete;
  ~ChildLaunch();

  // What launch() gave, or nothing while it runs and `wait` is false. Once it gave something it is
  // not asked again.
  std::optional<Result<int>> ended(bool wait);
  // Ends it with all that it started.
  void kill();

 private:
  ChildLaunch(pid_t child, UniqueFd report) : child_(child), report_(std::move(report)) {}
  pid_t child_;
  UniqueFd report_;  // launch()'s result, which no exit code can tell
};

}  // namespace aispm::sandbox
