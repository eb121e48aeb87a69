// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <string>
#include <vector>

namespace aispm::sandbox {

struct HostFact {
  enum class State { kGood, kWeaker, kMissing };
  State state;
  std::string what;    // "landlock: ABI 7"
  std::string remedy;  // empty when good
};

// What this host offers, asked one mechanism at a time; changes nothing.
std::vector<HostFact> examine_host();

}  // namespace aispm::sandbox
