// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "sensor/model/records.hpp"

// The text files of /proc, parsed. Pure; they take any bytes, since process names are anybody's.
namespace aispm::sensor {

// A file that a process maps as code, from /proc/PID/maps.
struct MappedFile {
  std::string range;         // "7f0a...-7f0b...": names the file under /proc/PID/map_files
  std::uint64_t device = 0;  // major << 32 | minor
  std::uint64_t inode = 0;
  std::string path;  // in that process's mount namespace
  bool operator==(const MappedFile&) const = default;
};

// "libssl.so.3", "/opt/x/libgnutls-1a2b.so.30": worth probing before anybody maps it.
bool is_tls_library(std::string_view path);
// All files mapped as code; a file mapped in several pieces is there several times.
std::vector<MappedFile> find_mapped_files(std::string_view maps);

// Of /proc/PID/stat.
struct ProcStat {
  std::uint32_t parent_pid = 0;
  std::uint64_t start_ticks = 0;  // since boot, 100 a second
  std::string comm;
};
std::optional<ProcStat> parse_stat(std::string_view stat);

// The real uid in /proc/PID/status.
std::optional<std::uint32_t> parse_uid(std::string_view status);
// The path in the unified hierarchy: the line "0::/..." of /proc/PID/cgroup.
std::optional<std::string> parse_cgroup(std::string_view cgroup);
// The arguments in /proc/PID/cmdline.
std::vector<std::string> parse_cmdline(std::string_view cmdline);

// A line of /proc/net/tcp or tcp6.
struct ProcSocket {
  Endpoints endpoints;
  std::uint32_t state = 0;  // 1 established, 2 SYN sent, 10 listening
  std::uint64_t inode = 0;
};
std::vector<ProcSocket> parse_sockets(std::string_view table, bool is_v6);

// "socket:[1234]" -> 1234, as /proc/PID/fd/N reads.
std::optional<std::uint64_t> parse_socket_link(std::string_view link);

}  // namespace aispm::sensor
