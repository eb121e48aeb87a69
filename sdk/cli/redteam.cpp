// SPDX-License-Identifier: Apache-2.0
#include "sdk/cli/redteam.hpp"

#include <unistd.h>

#include <cerrno>
#include <string>
#include <system_error>
#include <vector>

namespace aispm::cli {
namespace {

constexpr const char* kPython = "/usr/bin/python3";

}  // namespace

Result<std::filesystem::path> find_redteam(const std::filesystem::path& folder) {
  const auto found = (folder / "../lib/aispm/redteam").lexically_normal();
  std::error_code error;
  if (std::filesystem::exists(found / "__main__.py", error)) return found;
  return fail(Errc::kNotFound, found.string() + ": `aispm redteam` is not installed");
}

Error exec_redteam(std::span<char* const> arguments) {
  std::error_code error;
  const auto self = std::filesystem::read_symlink("/proc/self/exe", error);
  if (error) return {Errc::kUnavailable, "/proc/self/exe: " + error.message(), error.value()};
  const auto program = find_redteam(self.parent_path());
  if (!program) return program.error();
  std::string folder = program->string();
  std::string python = kPython;
  std::string alone = "-I";     // nothing from the user's environment or folder
  std::string no_files = "-B";  // and nothing is written beside the program
  std::vector<char*> command{python.data(), alone.data(), no_files.data(), folder.data()};
  command.insert(command.end(), arguments.begin(), arguments.end());
  command.push_back(nullptr);
  ::execv(kPython, command.data());
  const int number = errno;
  return {Errc::kUnavailable,
          std::string(kPython) + ": " + std::error_code(number, std::generic_category()).message() +
              "; `aispm redteam` needs it",
          number};
}

}  // namespace aispm::cli
