// SPDX-License-Identifier: Apache-2.0
#include <dirent.h>
#include <fcntl.h>
#include <unistd.h>

#include <array>
#include <charconv>
#include <optional>
#include <string>

#include "sdk/core/common/c_ptr.hpp"
#include "sdk/core/common/file.hpp"
#include "sensor/capture/proc_reader.hpp"
#include "sensor/capture/stdio_probes.hpp"

namespace aispm::sensor {
namespace {

constexpr int kMaxAncestors = 16;
constexpr std::size_t kMaxLookedAt = 4096;  // processes
constexpr std::size_t kMaxInfoBytes = 4096;

// "pipe:[7]" or "socket:[7]" -> 7.
std::optional<std::uint64_t> inode_in(std::string_view link, std::string_view kind) {
  if (!link.starts_with(kind) || !link.substr(kind.size()).starts_with(":[")) return std::nullopt;
  std::uint64_t inode = 0;
  const std::string_view digits = link.substr(kind.size() + 2);
  const auto [end, error] = std::from_chars(digits.data(), digits.data() + digits.size(), inode);
  return error == std::errc() && end != digits.data() ? std::optional(inode) : std::nullopt;
}

// A pipe's end that is open for writing.
bool writes_to(const std::string& process, const char* descriptor) {
  const auto info = read_file(process + "/fdinfo/" + descriptor, kMaxInfoBytes);
  if (!info) return false;
  const std::size_t at = info->find("flags:");
  if (at == std::string::npos) return false;
  const std::size_t digits = info->find_first_of("01234567", at);
  int flags = 0;
  if (digits == std::string::npos ||
      std::from_chars(info->data() + digits, info->data() + info->size(), flags, 8).ec !=
          std::errc())
    return false;
  return (flags & O_ACCMODE) != O_RDONLY;
}

// The process can write what the server reads from its stdin.
bool holds_other_end(std::uint32_t pid, const StdioFound::End& input) {
  const std::string process = "/proc/" + std::to_string(pid);
  const CPtr<DIR, ::closedir> descriptors(::opendir((process + "/fd").c_str()));
  while (const dirent* entry = descriptors ? ::readdir(descriptors.get()) : nullptr) {
    std::array<char, 64> target{};
    const ssize_t size =
        ::readlinkat(::dirfd(descriptors.get()), entry->d_name, target.data(), target.size());
    if (size <= 0) continue;
    const std::string_view link(target.data(), static_cast<std::size_t>(size));
    if (input.is_socket) {
      if (input.peer_inode != 0 && inode_in(link, "socket") == input.peer_inode) return true;
    } else if (inode_in(link, "pipe") == input.inode && writes_to(process, entry->d_name)) {
      return true;
    }
  }
  return false;
}

}  // namespace

ProcessId find_stdio_peer(const StdioFound& found) {
  const StdioFound::End& input = found.ends[0];
  std::uint32_t pid = found.actor.parent.pid;
  for (int i = 0; i < kMaxAncestors && pid > 1; ++i) {
    const auto process = read_process(pid);
    if (!process) break;
    if (holds_other_end(pid, input)) return process->actor.id;
    pid = process->actor.parent.pid;
  }
  std::size_t looked_at = 0;
  for (const std::uint32_t other : list_processes()) {
    if (++looked_at > kMaxLookedAt) break;
    if (other == found.actor.id.pid || !holds_other_end(other, input)) continue;
    if (const auto process = read_process(other)) return process->actor.id;
  }
  return {};
}

}  // namespace aispm::sensor
