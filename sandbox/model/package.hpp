// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <string>
#include <vector>

namespace aispm::sandbox {

// A package as it was fetched.
struct Package {
  std::string name;
  std::string version;
  std::string hash;  // "sha256:<64 hex digits>" or npm's "sha512-<base64>"
  std::string url;   // where from; empty: a local folder
  bool operator==(const Package&) const = default;
};

// The packages of one run, as they lie in the cache.
struct PackageSet {
  std::string id;      // 64 hex digits: hash of what it holds; empty: none
  std::string folder;  // on the host
  bool is_node = false;
  std::vector<Package> packages;
};

inline constexpr const char* kPythonPackages = "/opt/aispm/packages";  // inside
inline constexpr const char* kPythonStart = "/etc/aispm/python";  // below what Landlock lets read
inline constexpr const char* kNodePackages = "/node_modules";  // where node looks from everywhere

}  // namespace aispm::sandbox
