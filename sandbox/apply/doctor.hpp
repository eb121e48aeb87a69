// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <string>
#include <vector>

namespace aispm::sandbox {

struct HostFact {
  enum class State { kGood, kWeaker, kMissing };
  State state;
  std::string mechanism;  // "landlock"
  std::string found;      // "ABI 7"
  std::string meaning;    // what it is for, or what is weaker without it
  std::string remedy;     // empty when good
};

// What this host offers, asked one mechanism at a time; changes nothing.
std::vector<HostFact> examine_host();

// One line a fact in columns, with its remedy below. Pure.
std::string table_of(const std::vector<HostFact>& facts);

}  // namespace aispm::sandbox
