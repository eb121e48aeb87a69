// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <cstddef>
#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

#include "sandbox/model/package.hpp"
#include "sdk/core/common/result.hpp"

// What an agent says it needs: read from its file, checked, and written anew. A package tool only
// ever sees the text made here, never the file.
namespace aispm::sandbox {

inline constexpr std::size_t kMaxRequirementsBytes = 1U << 20;
inline constexpr std::size_t kMaxLockBytes = 16U << 20;  // of package-lock.json
inline constexpr std::size_t kMaxRequirements = 1024;
inline constexpr std::size_t kMaxPackages = 4096;  // of one resolved set

enum class Ecosystem : std::uint8_t { kPython, kNode };

struct Requirements {
  Ecosystem ecosystem = Ecosystem::kPython;
  std::size_t count = 0;  // named in the file
  std::string text;       // requirements.txt or package.json, written anew
  std::string lock;       // package-lock.json, written anew; Python: empty
  // Node: known beforehand, from the lock.
  std::vector<Package> packages;
};

// All three give errors as `name:line: what is wrong, what to do`, and kTooLarge past a limit.
// Pure; any bytes are safe. `name` is for messages.

// Lines of `name[extra]==1.2,<2; marker --hash=sha256:...`. Options, URLs, paths, editable installs
// and other files are refused.
Result<Requirements> parse_requirements_txt(std::string_view text, const std::string& name);

// `[project] dependencies`, each as a line of requirements.txt.
Result<Requirements> parse_pyproject(std::string_view text, const std::string& name);

// package.json and its package-lock.json (version 2 or 3). Every package of the lock must come from
// `registry` (an URL without a slash at its end) and carry a sha512.
Result<Requirements> parse_package_json(std::string_view text, std::string_view lock,
                                        const std::string& name, const std::string& registry);

// One requirement, checked and in canonical form. `where` begins errors.
Result<std::string> canonical_requirement(std::string_view line, const std::string& where);

// pip's report of what it installed (`pip install --report`, format 1), and what it said of the
// interpreter, as one line. Written by what ran in the build sandbox, so nothing in it is trusted
// further than it can be checked.
struct Resolved {
  std::string environment;
  std::vector<Package> packages;  // sorted by name
};
Result<Resolved> parse_pip_report(const std::string& json);

}  // namespace aispm::sandbox
