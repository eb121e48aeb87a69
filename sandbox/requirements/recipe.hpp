// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <string>
#include <vector>

#include "sandbox/model/plan.hpp"
#include "sandbox/requirements/requirements.hpp"

namespace aispm::sandbox {

// Where packages come from.
struct Index {
  std::string url;     // without a slash at its end; empty: `folder`
  std::string folder;  // absolute
  bool is_default = false;
};
// `given`: --index as it was written (a folder already made absolute). kInvalid for other schemes,
// user info and what is no host name.
Result<Index> parse_index(const std::string& given, Ecosystem ecosystem);

// The build sandbox for one file, which writes below `stage`: the program that fetches, the hosts
// that it may reach, and nothing of the caller's.
struct Recipe {
  Requirements requirements;
  Index index;
  std::string interpreter;  // absolute path of python; node: of npm
  bool build_from_source = false;
};
Result<Request> make_build_request(const Recipe& recipe, const std::string& stage,
                                   const Profile& build_profile);

// What the program writes below the stage.
inline constexpr const char* kReportFile = "report.json";
inline constexpr const char* kInputFile = "requirements.txt";
const char* output_folder(Ecosystem ecosystem);

}  // namespace aispm::sandbox
