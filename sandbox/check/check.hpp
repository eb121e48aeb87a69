// SPDX-License-Identifier: Apache-2.0
#pragma once

#include "sandbox/check/verdict.hpp"
#include "sandbox/launch.hpp"

namespace aispm::sandbox {

// The file itself: size and encoding. kNotFound and kInvalid when it is no file that can be read.
Result<Verdict> check_file(const std::string& path);

// Parses and imports the agent of `launch` (a script) in its sandbox, with no network and at most
// options.limit. Blocks; what the agent prints goes to standard error. kInvalid for what is no
// Python agent, kUnavailable when the sandbox or the interpreter is not there: then it is neither
// valid nor invalid.
Result<Verdict> check_in_sandbox(const Host& host, LaunchOptions launch, CheckOptions options,
                                 Verdict source);

}  // namespace aispm::sandbox
