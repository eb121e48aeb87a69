// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <string>

#include "sandbox/model/host.hpp"
#include "sandbox/model/plan.hpp"
#include "sdk/core/common/result.hpp"

namespace aispm::sandbox {

struct LaunchOptions {
  Request request;
  std::string events_path;  // JSON lines besides the gateway; empty: none
  bool dry_run = false;
  // Nothing runs unless the gateway permits every host of the profile: without its index a build
  // would only fail later, and say less.
  bool needs_all_hosts = false;
  // Socket of the warm pool; empty: the sandbox is built for this run.
  std::string pool_socket;
  bool is_verbose = false;
  // Session of the run that this one runs for; empty: nobody's.
  std::string parent_session;
};

// One run from the request to the exit code: the program's own, 128+n when signal n ended it, 124
// at the wall limit. An error means that nothing ran: kInvalid for a wrong request, kNotFound and
// kDenied for the program, else kUnavailable.
Result<int> launch(const Host& host, const LaunchOptions& options);

}  // namespace aispm::sandbox
