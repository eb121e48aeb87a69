// SPDX-License-Identifier: Apache-2.0
#include "sandbox/apply/init_facts.hpp"

#include <unistd.h>

#include <charconv>
#include <string>

#include "sdk/core/common/file.hpp"

namespace aispm::sandbox {
namespace {

constexpr std::size_t kMaxFileBytes = 4096;
constexpr std::uint64_t kSecond = 1'000'000'000;

std::uint64_t number_at(std::string_view text) {
  std::uint64_t value = 0;
  (void)std::from_chars(text.data(), text.data() + text.size(), value);
  return value;
}

// "Pid:\t4711" of a pidfd; 0 or less: it has ended.
pid_t pid_of(int pidfd) {
  const auto text = read_file("/proc/self/fdinfo/" + std::to_string(pidfd), kMaxFileBytes);
  const std::string key = "\nPid:\t";
  const auto at = text ? text->find(key) : std::string::npos;
  if (at == std::string::npos) return 0;
  return static_cast<pid_t>(number_at(std::string_view(*text).substr(at + key.size())));
}

}  // namespace

std::uint64_t start_of_stat(std::string_view stat, long ticks_per_second) {
  constexpr int kFieldsBehindName = 19;  // of proc(5) from the third to the 22nd, starttime
  const auto name_end = stat.rfind(')');
  if (name_end == std::string_view::npos || ticks_per_second <= 0) return 0;
  stat.remove_prefix(name_end + 1);
  for (int i = 0; i <= kFieldsBehindName; ++i) {
    const auto space = stat.find(' ');
    if (space == std::string_view::npos) return 0;
    stat.remove_prefix(space + 1);
  }
  return number_at(stat) * (kSecond / static_cast<std::uint64_t>(ticks_per_second));
}

model::RunInit find_init(pid_t pid, int pidfd) {
  if (pidfd >= 0) pid = pid_of(pidfd);
  if (pid <= 1) return {};
  const auto stat = read_file("/proc/" + std::to_string(pid) + "/stat", kMaxFileBytes);
  const std::uint64_t start = stat ? start_of_stat(*stat, ::sysconf(_SC_CLK_TCK)) : 0;
  if (start == 0) return {};
  return {static_cast<std::uint32_t>(pid), start};
}

}  // namespace aispm::sandbox
