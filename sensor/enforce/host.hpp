// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <vector>

#include "sdk/core/common/unique_fd.hpp"
#include "sdk/core/model/event.hpp"
#include "sensor/capture/cgroup_root.hpp"
#include "sensor/model/enforce_tables.hpp"

// What enforcement asks of and does to the host without BPF.
namespace aispm::sensor {

// The id of a cgroup below the root of cgroup2 (find_cgroup_root()); "/" is the root itself.
std::optional<std::uint64_t> find_cgroup(const std::string& root, const std::string& path);

// By name in /etc/passwd or as digits. Not by NSS: a directory server that does not answer must not
// stop the sensor.
std::optional<std::uint32_t> find_uid(const std::string& user);

// A handle of exactly this process: nothing when it is gone or its pid is another's now.
UniqueFd open_process(const model::ProcessId& id);

// False in a pid namespace of our own, where the kernel lists only what runs there.
bool sees_all_processes();

struct OpenSocket {
  std::uint64_t cookie = 0;
  std::optional<ProtectedEndpoint> peer;
};
// The IP sockets that a process has open.
std::vector<OpenSocket> list_sockets(const UniqueFd& process, std::uint32_t pid);

}  // namespace aispm::sensor
