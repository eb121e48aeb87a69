// SPDX-License-Identifier: Apache-2.0
// Attempts 81 to 86: resources. Those that end their process (memory, processes, time) are in
// test_limits.py.
#include <fcntl.h>
#include <sched.h>
#include <signal.h>
#include <sys/mman.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#include <string>
#include <vector>

#include "tests/sandbox/probes/probe.hpp"

namespace aispm::probes {
namespace {

using std::string;

// Reserves up to 512 MiB in one file. The profile's limit must come first.
long filled(const string& folder) {
  const string path = folder + "/probe-fill";
  const int fd = ::open(path.c_str(), O_WRONLY | O_CREAT | O_CLOEXEC, 0600);
  if (fd < 0) return -1;
  const long result = ::fallocate(fd, 0, 0, 512L << 20);
  const int error = errno;
  ::close(fd);
  ::unlink(path.c_str());
  errno = error;
  return result;
}

long inodes(const string& folder, int most) {
  long result = 0;
  int made = 0;
  for (; made < most && result == 0; ++made)
    result =
        try_open(folder + "/probe-inode-" + std::to_string(made), O_WRONLY | O_CREAT) < 0 ? -1 : 0;
  const int error = errno;
  for (int i = 0; i < made; ++i) ::unlink((folder + "/probe-inode-" + std::to_string(i)).c_str());
  errno = error;
  return result;
}

// Opens what `one` gives until it fails; success means that there was no end within `most`.
long exhausted(const std::function<int()>& one, int most) {
  return in_child([&] {
    for (int i = 0; i < most; ++i)
      if (one() < 0) return -1L;
    return 0L;
  });
}

long dumps_core() {
  const pid_t pid = ::fork();
  if (pid < 0) return -1;
  if (pid == 0) {
    ::raise(SIGSEGV);
    ::_exit(0);
  }
  int status = 0;
  while (::waitpid(pid, &status, 0) < 0 && errno == EINTR) {
  }
  return WIFSIGNALED(status) && WCOREDUMP(status) ? 0 : absent();
}

long real_time(int policy) {
  return in_child([policy] {
    sched_param parameter{};
    parameter.sched_priority = 1;
    return long{::sched_setscheduler(0, policy, &parameter)};
  });
}

}  // namespace

void add_resource_probes(Probes& p) {
  p.push_back({"fill-tmp", [] { return filled("/tmp"); }});
  p.push_back({"fill-shm", [] { return filled("/dev/shm"); }});
  p.push_back({"fill-inodes", [] { return inodes("/tmp", 70'000); }});
  p.push_back({"all-descriptors",
               [] { return exhausted([] { return ::open("/dev/null", O_RDONLY); }, 5000); }});
  p.push_back({"lock-memory", [] {
                 return in_child([] {
                   void* const memory =
                       ::mmap(nullptr, 1 << 20, PROT_READ, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
                   return long{::mlock(memory, 1 << 20)};
                 });
               }});
  p.push_back({"real-time-fifo", [] { return real_time(SCHED_FIFO); }});
  p.push_back({"real-time-rr", [] { return real_time(SCHED_RR); }});
  p.push_back({"nice-below",
               [] { return in_child([] { return long{::setpriority(PRIO_PROCESS, 0, -20)}; }); }});
  p.push_back({"raise-limit", [] {
                 return in_child([] {
                   rlimit limit{};
                   ::getrlimit(RLIMIT_NOFILE, &limit);
                   limit.rlim_max += 1;
                   return long{::setrlimit(RLIMIT_NOFILE, &limit)};
                 });
               }});
  p.push_back({"core-dump", dumps_core});
}

}  // namespace aispm::probes
