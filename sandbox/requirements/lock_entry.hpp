// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

#include "sandbox/model/package.hpp"
#include "sdk/core/common/result.hpp"

namespace aispm::sandbox {

inline constexpr std::size_t kMaxLockEntryBytes = 4U << 20;

// What one requirements file came to for one interpreter: all that a later run must know.
struct LockEntry {
  std::string tree;  // 64 hex digits
  // The tree's own folder as it was sealed: another one in its place is not it.
  std::uint64_t inode = 0;
  std::uint64_t changed_ns = 0;  // ctime
  std::vector<Package> packages;
  bool operator==(const LockEntry&) const = default;
};

// Text with its own hash at the end. Pure; any bytes are safe to parse.
std::string to_text(const LockEntry& entry);
Result<LockEntry> parse_lock_entry(std::string_view text);

// The name of a tree: a hash of its interpreter, its packages with their hashes, and its files.
std::string name_tree(const std::string& environment, const std::vector<Package>& packages,
                      const std::string& manifest);

}  // namespace aispm::sandbox
