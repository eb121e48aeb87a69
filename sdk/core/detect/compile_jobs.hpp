// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <cstdint>
#include <memory>
#include <string>
#include <vector>

#include "sdk/core/detect/dfa.hpp"
#include "sdk/core/detect/hyperscan.hpp"

namespace aispm::detect {

// What one exact automaton is made of.
struct DfaSource {
  std::uint32_t rule = 0;  // whose error it is when it does not compile
  std::vector<std::string> patterns;
  bool caseless = false;
};

// All that an engine needs compiled.
struct CompileJobs {
  std::vector<std::vector<HsPattern>> databases;
  std::vector<DfaSource> automata;
};
struct Compiled {
  std::vector<HsDatabase> databases;
  std::vector<std::shared_ptr<const Dfa>> automata;
};

}  // namespace aispm::detect
