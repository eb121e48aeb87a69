// SPDX-License-Identifier: Apache-2.0
// `probe NAME...` runs these attempts (none named: all) and prints one line each: "<name> ok" when
// it succeeded,
// "<name> <errno name>" when it was refused. `probe --list` names all. `probe --euid` and `probe
// --caps` say what an executed copy has become.
#include <fcntl.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <unistd.h>

#include <algorithm>
#include <cstdio>
#include <cstdlib>
#include <cstring>

#include "tests/sandbox/probes/probe.hpp"

namespace aispm::probes {

long closed(long fd) {
  const int error = errno;
  if (fd >= 0) ::close(static_cast<int>(fd));
  errno = error;
  return fd;
}
long try_open(const std::string& path, int flags) {
  return closed(::open(path.c_str(), flags | O_CLOEXEC, 0600));
}
long try_socket(int family, int type, int protocol) {
  return closed(::socket(family, type | SOCK_CLOEXEC, protocol));
}

long in_child(const std::function<long()>& attempt) {
  const pid_t pid = ::fork();
  if (pid < 0) return -1;
  if (pid == 0) {
    errno = 0;
    ::_exit(attempt() < 0 ? (errno == 0 ? 255 : errno) : 0);
  }
  int status = 0;
  while (::waitpid(pid, &status, 0) < 0 && errno == EINTR) {
  }
  errno = WIFSIGNALED(status) ? ECHILD : WEXITSTATUS(status);
  return errno == 0 ? 0 : -1;
}

long absent() {
  errno = ENODATA;
  return -1;
}

std::string prepared(const char* name) {
  const char* value = std::getenv((std::string("PROBE_") + name).c_str());
  return value == nullptr ? "" : value;
}

std::string slurp(const std::string& path) {
  std::string text;
  const int fd = ::open(path.c_str(), O_RDONLY | O_CLOEXEC | O_NONBLOCK);
  if (fd < 0) return text;
  char buffer[8192];
  ssize_t size = 0;
  while (text.size() < (1U << 20) && (size = ::read(fd, buffer, sizeof(buffer))) > 0)
    text.append(buffer, static_cast<std::size_t>(size));
  ::close(fd);
  return text;
}

namespace {

const char* name_of(int error) {
  const char* name = ::strerrorname_np(error);
  return name == nullptr ? "E?" : name;
}

// For an executed copy of this program: 0 when it gained something.
int say_what_it_became(const std::string& mode) {
  if (mode == "--euid") return ::geteuid() == ::getuid() ? EPERM : 0;
  const std::string status = slurp("/proc/self/status");
  const auto at = status.find("CapEff:\t");
  return at == std::string::npos || status.compare(at + 8, 16, "0000000000000000") == 0 ? EPERM : 0;
}

int run(int argc, char** argv) {
  const std::string mode = argc > 1 ? argv[1] : "";
  if (mode == "--euid" || mode == "--caps") return say_what_it_became(mode);
  Probes probes;
  add_file_probes(probes);
  add_kernel_probes(probes);
  add_call_probes(probes);
  add_socket_probes(probes);
  add_process_probes(probes);
  add_resource_probes(probes);
  for (const Probe& probe : probes) {
    if (mode == "--list") {
      std::puts(probe.name.c_str());
      continue;
    }
    const auto is_it = [&](const char* name) { return probe.name == name; };
    if (argc > 1 && std::none_of(argv + 1, argv + argc, is_it)) continue;
    errno = 0;
    const long result = probe.attempt();
    const int error = errno;
    std::printf("%s %s\n", probe.name.c_str(), result < 0 ? name_of(error) : "ok");
    std::fflush(stdout);
  }
  return 0;
}

}  // namespace
}  // namespace aispm::probes

int main(int argc, char** argv) { return aispm::probes::run(argc, argv); }
