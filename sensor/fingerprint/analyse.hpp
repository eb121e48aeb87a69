// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <cstdint>
#include <string>
#include <vector>

#include "sdk/core/common/result.hpp"
#include "sensor/fingerprint/file_bytes.hpp"
#include "sensor/fingerprint/pack.hpp"

namespace aispm::sensor::fingerprint {

// A function to probe.
struct Site {
  Hook hook = Hook::kSslRead;
  std::string function;
  std::uint64_t address = 0;           // virtual, of its first instruction
  std::uint64_t file_offset = 0;       // of the same
  std::vector<std::uint64_t> returns;  // Go: virtual addresses of its return instructions
  bool operator==(const Site&) const = default;
};

// One TLS implementation inside a program.
struct Finding {
  std::string library;               // "boringssl", "aws-lc", "go", or a mark's id
  std::vector<Site> sites;           // empty: nothing can be captured
  std::vector<std::string> reasons;  // what is missing and why, for the coverage report
  bool operator==(const Finding&) const = default;
};

// Finds the TLS that is linked into a program. Reads the file piece by piece: memory stays below
// 16 MiB whatever its size; time is about a second for each 400 MB. Thread-safe.
// Fails only when the file is not a program for this processor; a program without any such TLS
// gives no finding.
Result<std::vector<Finding>> analyse(const FileBytes& bytes, const Packs& packs);

}  // namespace aispm::sensor::fingerprint
