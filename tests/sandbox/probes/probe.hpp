// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <cerrno>
#include <functional>
#include <string>
#include <vector>

// Bodies of the escape attempts (table.py says what must become of each). A body gives 0 or more
// when the attempt succeeded, less than 0 with errno when it was refused. It leaves nothing behind.
namespace aispm::probes {

struct Probe {
  std::string name;
  std::function<long()> attempt;
};
using Probes = std::vector<Probe>;

void add_file_probes(Probes& probes);
void add_kernel_probes(Probes& probes);
void add_call_probes(Probes& probes);
void add_socket_probes(Probes& probes);
void add_process_probes(Probes& probes);
void add_resource_probes(Probes& probes);

// --- helpers (main.cpp)
// Opens and closes.
long try_open(const std::string& path, int flags);
long try_socket(int family, int type, int protocol);
// Closes what a call gave.
long closed(long fd);
// Runs in a child so that a success changes nothing here. A death by signal is ECHILD.
long in_child(const std::function<long()>& attempt);
// "Looked everywhere, found nothing": -1 with ENODATA.
long absent();
// What the test prepared outside: an environment variable PROBE_<name>, empty when missing.
std::string prepared(const char* name);
// At most 1 MiB of a file, empty when it cannot be read.
std::string slurp(const std::string& path);

}  // namespace aispm::probes
