// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <cstdint>
#include <string>
#include <vector>

#include "sdk/core/common/result.hpp"

// A folder of packages that a build sandbox wrote. Everything in it is foreign: it is walked by
// descriptors, no link is ever followed, and what is no plain file or folder of ours is refused.
namespace aispm::sandbox {

struct TreeLimits {
  std::uint64_t bytes = 2ULL << 30;
  std::uint64_t files = 200'000;
};

struct SealedTree {
  // "<sha256> <bytes> <path>" a file, sorted by path.
  std::string manifest;
  std::vector<std::string> left_out;  // files that an interpreter would run unasked: removed
};

// Checks, hashes and makes read-only what lies in `folder` (an open folder). With
// `is_python`, *.pth files, sitecustomize and usercustomize at its top are removed: nothing of a
// package runs unless it is imported. kDenied for links, devices, foreign owners and names with
// control characters; kTooLarge past a limit.
Result<SealedTree> seal_tree(int folder, bool is_python, const TreeLimits& limits);

// Whether the files are those of the manifest, byte for byte.
Result<> verify_tree(int folder, const std::string& manifest, const TreeLimits& limits);

// Files and bytes so far; kTooLarge past a limit. What vanishes meanwhile does not count.
Result<std::uint64_t> measure_tree(int folder, const TreeLimits& limits);

// Removes `name` in `parent` with all that it holds, read-only or not. Links are removed, not
// followed.
Result<> remove_tree(int parent, const std::string& name);

}  // namespace aispm::sandbox
