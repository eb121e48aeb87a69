// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <string>

#include "sandbox/launch.hpp"
#include "sandbox/requirements/cache.hpp"

namespace aispm::sandbox {

struct RequirementsOptions {
  std::string file;                // requirements.txt, pyproject.toml or package.json
  std::string index;               // https:// or a folder of files; empty: PyPI, npm's registry
  bool build_from_source = false;  // let packages run code of theirs while they are installed
};

// The packages that a file names, from the cache or by a build in a sandbox of its own. The caller
// keeps `hold` open while it uses them. A file that names nothing gives an empty set.
// kInvalid for what is wrong in the file or the options, else kUnavailable: nothing may run then.
Result<HeldSet> prepare_requirements(const Host& host, const LaunchOptions& launch,
                                     const RequirementsOptions& options);

// Where the caller's packages are kept: $AISPM_CACHE, /var/cache/aispm as root, ~/.cache/aispm.
std::string cache_folder(const Host& host);

// `aispm-run cache list|prune|check`; gives the exit code.
int run_cache_command(const Host& host, int argc, char** argv);

}  // namespace aispm::sandbox
