// SPDX-License-Identifier: Apache-2.0
#include "sensor/discover/security_modules.hpp"

#include <unistd.h>

#include <array>

namespace aispm::sensor {
namespace {

// The C library's headers are older than the call; its number is the same on all architectures.
constexpr long kLsmListModules = 461;
constexpr std::size_t kMaxModules = 64;
// Source: include/uapi/linux/lsm.h.
constexpr std::uint64_t kFirst = 100;
constexpr std::array<const char*, 14> kNames{
    "capability", "selinux",  "smack", "tomoyo",   "apparmor", "yama", "loadpin",
    "safesetid",  "lockdown", "bpf",   "landlock", "ima",      "evm",  "ipe"};

}  // namespace

std::string name_security_modules(std::span<const std::uint64_t> ids) {
  std::string names;
  for (const std::uint64_t id : ids) {
    if (!names.empty()) names += ',';
    if (id >= kFirst && id - kFirst < kNames.size())
      names += kNames[static_cast<std::size_t>(id - kFirst)];
    else
      names += "lsm-" + std::to_string(id);
  }
  return names;
}

std::optional<std::string> active_security_modules() {
  std::array<std::uint64_t, kMaxModules> ids{};
  std::uint32_t bytes = sizeof(ids);
  const long count = ::syscall(kLsmListModules, ids.data(), &bytes, 0U);
  if (count <= 0 || static_cast<std::size_t>(count) > ids.size()) return std::nullopt;
  return name_security_modules(std::span(ids).first(static_cast<std::size_t>(count)));
}

}  // namespace aispm::sensor
