// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <vector>

#include "sdk/core/common/result.hpp"
#include "sensor/capture/probed_files.hpp"

// Proof that the probes of one library file sit where they should: a child loads that very file,
// sends a known text through it over memory buffers, and capture must see exactly that text once.
namespace aispm::sensor {

inline constexpr int kLibraryWrites = 2000;
inline constexpr std::size_t kLibraryBlockBytes = 200;

// What one run of the child said.
struct LibraryRun {
  std::uint32_t pid = 0;
  double write_ns = 0;  // CPU of one SSL_write
};

// Files whose code may run as root: root's own, writable by nobody else, and of a library that the
// child knows to drive. The reason why not otherwise.
std::optional<std::string> why_not_checkable(const ProbedLibrary& library);

// Runs the child to its end, as nobody with no way to gain privileges.
Result<LibraryRun> run_library_child(const std::string& path);
// The child: loads `path`, does the work, prints the cost of a write in ns. The exit code.
int work_with_library(const std::string& path);

// What the child writes in all.
std::string library_text();

}  // namespace aispm::sensor
