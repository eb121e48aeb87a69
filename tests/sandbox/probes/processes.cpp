// SPDX-License-Identifier: Apache-2.0
// Attempts 86 and 89 to 96: what can be learnt of the host, signals, identities, System V objects.
#include <fcntl.h>
#include <grp.h>
#include <linux/capability.h>
#include <linux/securebits.h>
#include <mqueue.h>
#include <signal.h>
#include <sys/ioctl.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/shm.h>
#include <sys/socket.h>
#include <sys/syscall.h>
#include <sys/utsname.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cstdlib>
#include <cstring>

#include "tests/sandbox/probes/probe.hpp"

namespace aispm::probes {
namespace {

using std::string;

pid_t host_pid() { return static_cast<pid_t>(std::atoi(prepared("HOST_PID").c_str())); }

// An address of the kernel: 16 hex digits that start with "ffff".
bool shows_kernel_pointer(const string& text) {
  for (std::size_t at = 0; (at = text.find("ffff", at)) != string::npos; ++at) {
    const bool is_start = at == 0 || std::isxdigit(static_cast<unsigned char>(text[at - 1])) == 0;
    if (!is_start || text.size() < at + 16) continue;
    const auto end = text.find_first_not_of("0123456789abcdef", at);
    const std::size_t length = (end == string::npos ? text.size() : end) - at;
    if (length == 16 && text.compare(at, 16, "ffffffffffffffff") != 0) return true;
  }
  return false;
}

long kernel_pointers() {
  for (const char* name : {"net/unix", "net/packet", "net/netlink", "net/tcp", "wchan", "syscall",
                           "stack", "stat", "timers"})
    if (shows_kernel_pointer(slurp(string("/proc/self/") + name))) return 0;
  return absent();
}

long secrets_of_init() {
  const string environment = slurp("/proc/1/environ");
  return environment.find(prepared("TOKEN")) == string::npos || environment.empty() ? absent() : 0;
}

void add_information(Probes& p) {
  p.push_back({"secret-environment",
               [] { return ::getenv("AWS_SECRET_ACCESS_KEY") == nullptr ? absent() : 0L; }});
  p.push_back({"init-environment", secrets_of_init});
  p.push_back({"proc-1-environ", [] { return try_open("/proc/1/environ", O_RDONLY); }});
  p.push_back({"host-process",
               [] { return try_open("/proc/" + prepared("HOST_PID") + "/stat", O_RDONLY); }});
  for (const char* name : {"cmdline", "version", "kallsyms", "modules", "timer_list", "keys",
                           "slabinfo", "stat", "uptime", "meminfo", "kcore", "sys"})
    p.push_back(
        {string("proc-") + name, [name] { return try_open(string("/proc/") + name, O_RDONLY); }});
  p.push_back({"machine-id", [] { return try_open("/etc/machine-id", O_RDONLY); }});
  p.push_back({"dmi", [] { return try_open("/sys/class/dmi/id/product_name", O_RDONLY); }});
  p.push_back({"network-hardware", [] { return try_open("/sys/class/net", O_RDONLY); }});
  p.push_back({"host-name", [] {
                 utsname names{};
                 ::uname(&names);
                 return prepared("HOST_NAME") == names.nodename ? 0L : absent();
               }});
  p.push_back({"mountinfo-paths", [] {
                 return slurp("/proc/self/mountinfo").find(prepared("HIDDEN")) == string::npos
                            ? absent()
                            : 0L;
               }});
  p.push_back({"cgroup-path", [] {
                 const string groups = slurp("/proc/self/cgroup");
                 for (std::size_t line = 0; line < groups.size();
                      line = groups.find('\n', line) + 1)
                   if (groups.compare(groups.find('\n', line) - 2, 2, ":/") != 0) return 0L;
                 return absent();
               }});
  p.push_back({"kernel-pointers", kernel_pointers});
}

void add_signals(Probes& p) {
  p.push_back({"kill-init", [] { return long{::kill(1, SIGKILL)}; }});
  p.push_back({"stop-init", [] { return long{::kill(1, SIGSTOP)}; }});
  p.push_back({"signal-init-0", [] { return long{::kill(1, 0)}; }});
  p.push_back({"kill-host-process", [] { return long{::kill(host_pid(), 0)}; }});
  p.push_back(
      {"tgkill-host-process", [] { return ::syscall(SYS_tgkill, host_pid(), host_pid(), 0); }});
  p.push_back({"sigqueue-host-process", [] { return long{::sigqueue(host_pid(), 0, sigval{})}; }});
  p.push_back(
      {"pidfd-host-process", [] { return closed(::syscall(SYS_pidfd_open, host_pid(), 0)); }});
  p.push_back({"setown-host-process", [] {
                 int ends[2];
                 if (::pipe2(ends, O_CLOEXEC) != 0) return -1L;
                 const long result = ::fcntl(ends[0], F_SETOWN, host_pid());
                 closed(ends[1]);
                 return closed(ends[0]) < 0 ? -1 : result;
               }});
  p.push_back({"fiosetown-host-process", [] {
                 const int fd = ::socket(AF_INET, SOCK_DGRAM | SOCK_CLOEXEC, 0);
                 int owner = host_pid();
                 const long result = ::ioctl(fd, 0x8901 /* FIOSETOWN */, &owner);
                 return closed(fd) < 0 ? -1 : result;
               }});
  p.push_back({"priority-of-host-process", [] {
                 errno = 0;
                 const int value = ::getpriority(PRIO_PROCESS, static_cast<id_t>(host_pid()));
                 return value == -1 && errno != 0 ? -1L : 0L;
               }});
}

void add_identity(Probes& p) {
  p.push_back({"uid-map-write", [] {
                 return try_open("/proc/self/uid_map", O_RDONLY) < 0 ? -1L : [] {
                   const int fd = ::open("/proc/self/uid_map", O_WRONLY | O_CLOEXEC);
                   if (fd < 0) return -1L;
                   const long result = ::write(fd, "0 0 1", 5);
                   return closed(fd) < 0 ? -1 : result;
                 }();
               }});
  p.push_back({"setgroups-write", [] {
                 const int fd = ::open("/proc/self/setgroups", O_WRONLY | O_CLOEXEC);
                 if (fd < 0) return -1L;
                 const long result = ::write(fd, "allow", 5);
                 return closed(fd) < 0 ? -1 : result;
               }});
  p.push_back({"setgroups", [] { return in_child([] { return long{::setgroups(0, nullptr)}; }); }});
  p.push_back({"capset", [] {
                 return in_child([] {
                   __user_cap_header_struct header{_LINUX_CAPABILITY_VERSION_3, 0};
                   __user_cap_data_struct data[2] = {{1U << CAP_SYS_ADMIN, 1U << CAP_SYS_ADMIN, 0},
                                                     {0, 0, 0}};
                   return ::syscall(SYS_capset, &header, data);
                 });
               }});
  p.push_back(
      {"securebits", [] { return in_child([] { return long{::prctl(PR_SET_SECUREBITS, 0)}; }); }});
  p.push_back({"setuid-root", [] { return in_child([] { return long{::setuid(0)}; }); }});
  p.push_back({"setgid-root", [] { return in_child([] { return long{::setgid(0)}; }); }});
  p.push_back({"no-new-privs-off", [] {
                 return in_child([] { return long{::prctl(PR_SET_NO_NEW_PRIVS, 0, 0, 0, 0)}; });
               }});
}

void add_shared_memory(Probes& p) {
  p.push_back({"host-shared-memory", [] {
                 return long{
                     ::shmget(static_cast<key_t>(std::atoi(prepared("SHM_KEY").c_str())), 0, 0)};
               }});
  p.push_back({"host-message-queue",
               [] { return closed(::mq_open(prepared("QUEUE").c_str(), O_RDONLY)); }});
  p.push_back(
      {"host-posix-memory", [] { return try_open("/dev/shm/" + prepared("SHM_FILE"), O_RDONLY); }});
}

}  // namespace

void add_process_probes(Probes& probes) {
  add_information(probes);
  add_signals(probes);
  add_identity(probes);
  add_shared_memory(probes);
}

}  // namespace aispm::probes
