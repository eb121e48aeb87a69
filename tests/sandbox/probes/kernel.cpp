// SPDX-License-Identifier: Apache-2.0
// Attempts 27 to 44: parts of the kernel that an agent has no use for.
#include <fcntl.h>
#include <linux/sched.h>
#include <sched.h>
#include <signal.h>
#include <sys/mount.h>
#include <sys/ptrace.h>
#include <sys/syscall.h>
#include <sys/uio.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cstdint>

#include "tests/sandbox/probes/probe.hpp"

namespace aispm::probes {
namespace {

long reaped(long pid) {
  const int error = errno;
  if (pid == 0) ::_exit(0);
  if (pid > 0) ::waitpid(static_cast<pid_t>(pid), nullptr, __WALL);
  errno = error;
  return pid;
}

long cloned(std::uint64_t flags) {
  return reaped(::syscall(SYS_clone, flags | SIGCHLD, 0, 0, 0, 0));
}

long cloned3(std::uint64_t flags) {
  clone_args arguments{};
  arguments.flags = flags;
  arguments.exit_signal = SIGCHLD;
  return reaped(::syscall(SYS_clone3, &arguments, sizeof(arguments)));
}

long unshared(int flags) {
  return in_child([flags] { return long{::unshare(flags)}; });
}

long entered(const char* name, int flags) {
  const int fd = ::open(name, O_RDONLY | O_CLOEXEC);
  if (fd < 0) return -1;
  const long result = in_child([&] { return long{::setns(fd, flags)}; });
  closed(fd);
  return result;
}

// A child that waits; `attempt` gets its pid.
long on_child(const std::function<long(pid_t)>& attempt) {
  const pid_t child = ::fork();
  if (child < 0) return -1;
  if (child == 0) {
    ::pause();
    ::_exit(0);
  }
  const long result = attempt(child);
  const int error = errno;
  ::kill(child, SIGKILL);
  while (::waitpid(child, nullptr, __WALL) < 0 && errno == EINTR) {
  }
  errno = error;
  return result;
}

long copied(long call, pid_t pid, void* remote_address) {
  char byte = 1;
  iovec local{&byte, 1};
  iovec remote{remote_address, 1};
  return ::syscall(call, pid, &local, 1UL, &remote, 1UL, 0UL);
}

void add_subsystems(Probes& p) {
  p.push_back({"bpf-map-create", [] {
                 std::uint32_t attributes[32] = {2 /* array */, 4, 4, 1};
                 return closed(::syscall(SYS_bpf, 0, attributes, sizeof(attributes)));
               }});
  p.push_back({"bpf-prog-load", [] {
                 std::uint64_t attributes[16] = {};
                 return closed(::syscall(SYS_bpf, 5, attributes, sizeof(attributes)));
               }});
  p.push_back({"io-uring-setup", [] {
                 char parameters[120] = {};
                 return closed(::syscall(SYS_io_uring_setup, 4, parameters));
               }});
  p.push_back(
      {"io-uring-enter", [] { return ::syscall(SYS_io_uring_enter, -1, 0, 0, 0, nullptr, 0); }});
  p.push_back(
      {"io-uring-register", [] { return ::syscall(SYS_io_uring_register, -1, 0, nullptr, 0); }});
  p.push_back({"userfaultfd", [] { return closed(::syscall(SYS_userfaultfd, O_CLOEXEC)); }});
  p.push_back(
      {"userfaultfd-user-mode", [] { return closed(::syscall(SYS_userfaultfd, O_CLOEXEC | 1)); }});
  p.push_back({"add-key", [] {
                 return ::syscall(SYS_add_key, "user", "aispm-probe", "x", 1,
                                  -2 /* process keyring */);
               }});
  p.push_back({"keyctl", [] { return ::syscall(SYS_keyctl, 0 /* GET_KEYRING_ID */, -2, 1); }});
  p.push_back(
      {"request-key", [] { return ::syscall(SYS_request_key, "user", "aispm-none", nullptr, 0); }});
  p.push_back({"perf-event-open", [] {
                 std::uint32_t attributes[32] = {1 /* software */, 128, 0 /* cpu clock */};
                 attributes[10] = 1U << 5 | 1U << 6;  // exclude_kernel, exclude_hv
                 return closed(::syscall(SYS_perf_event_open, attributes, 0, -1, -1, 0));
               }});
  p.push_back({"kexec-load", [] { return ::syscall(SYS_kexec_load, 0, 0, nullptr, 0); }});
  p.push_back({"kexec-file-load", [] { return ::syscall(SYS_kexec_file_load, -1, -1, 0, "", 0); }});
  p.push_back({"init-module", [] { return ::syscall(SYS_init_module, nullptr, 0, ""); }});
  p.push_back({"finit-module", [] { return ::syscall(SYS_finit_module, -1, "", 0); }});
  p.push_back(
      {"delete-module", [] { return ::syscall(SYS_delete_module, "aispm-none", O_NONBLOCK); }});
}

void add_other_processes(Probes& p) {
  p.push_back({"ptrace-traceme", [] {
                 return in_child([] { return ::ptrace(PTRACE_TRACEME, 0, nullptr, nullptr); });
               }});
  p.push_back({"ptrace-attach", [] {
                 return on_child(
                     [](pid_t pid) { return ::ptrace(PTRACE_ATTACH, pid, nullptr, nullptr); });
               }});
  p.push_back({"ptrace-seize", [] {
                 return on_child(
                     [](pid_t pid) { return ::ptrace(PTRACE_SEIZE, pid, nullptr, nullptr); });
               }});
  p.push_back({"process-vm-readv", [] {
                 static char remote = 7;
                 return on_child(
                     [](pid_t pid) { return copied(SYS_process_vm_readv, pid, &remote); });
               }});
  p.push_back({"process-vm-writev", [] {
                 static char remote = 7;
                 return on_child(
                     [](pid_t pid) { return copied(SYS_process_vm_writev, pid, &remote); });
               }});
  p.push_back({"proc-1-mem", [] { return try_open("/proc/1/mem", O_RDWR); }});
  p.push_back({"pidfd-getfd-init", [] {
                 const long init = ::syscall(SYS_pidfd_open, 1, 0);
                 if (init < 0) return -1L;
                 const long result = closed(::syscall(SYS_pidfd_getfd, init, 0, 0));
                 closed(init);
                 return result;
               }});
  p.push_back({"pidfd-getfd-own", [] {
                 return on_child([](pid_t pid) {
                   const long child = ::syscall(SYS_pidfd_open, pid, 0);
                   const long result = closed(::syscall(SYS_pidfd_getfd, child, 0, 0));
                   closed(child);
                   return result;
                 });
               }});
}

void add_mounts(Probes& p) {
  p.push_back({"mount-tmpfs", [] {
                 const long result = ::mount("none", "/tmp", "tmpfs", 0, nullptr);
                 if (result == 0) ::umount2("/tmp", MNT_DETACH);
                 return result;
               }});
  p.push_back({"umount", [] {
                 return in_child([] {
                   // Of a mount that everybody has and that is not needed any more here.
                   return long{::umount2("/proc", MNT_DETACH)};
                 });
               }});
  p.push_back(
      {"pivot-root", [] { return in_child([] { return ::syscall(SYS_pivot_root, ".", "."); }); }});
  p.push_back({"chroot", [] { return in_child([] { return long{::chroot("/tmp")}; }); }});
  p.push_back({"fsopen", [] { return closed(::syscall(SYS_fsopen, "tmpfs", 1)); }});
  p.push_back({"fsconfig", [] { return ::syscall(SYS_fsconfig, -1, 6, nullptr, nullptr, 0); }});
  p.push_back({"fsmount", [] { return ::syscall(SYS_fsmount, -1, 0, 0); }});
  p.push_back({"fspick", [] { return closed(::syscall(SYS_fspick, AT_FDCWD, "/tmp", 1)); }});
  p.push_back({"open-tree", [] { return closed(::syscall(SYS_open_tree, AT_FDCWD, "/", 1)); }});
  p.push_back(
      {"move-mount", [] { return ::syscall(SYS_move_mount, -1, "", AT_FDCWD, "/tmp", 4); }});
  p.push_back({"mount-setattr", [] {
                 std::uint64_t attributes[4] = {0, 1 /* clear read-only */, 0, 0};
                 return ::syscall(SYS_mount_setattr, AT_FDCWD, "/", 0, attributes,
                                  sizeof(attributes));
               }});
}

void add_namespaces(Probes& p) {
  p.push_back({"unshare-user", [] { return unshared(CLONE_NEWUSER); }});
  p.push_back({"unshare-net", [] { return unshared(CLONE_NEWUSER | CLONE_NEWNET); }});
  p.push_back({"unshare-mount", [] { return unshared(CLONE_NEWUSER | CLONE_NEWNS); }});
  p.push_back({"unshare-time", [] { return unshared(CLONE_NEWUSER | 0x80 /* CLONE_NEWTIME */); }});
  p.push_back({"clone-newuser", [] { return cloned(CLONE_NEWUSER); }});
  p.push_back({"clone-newpid", [] { return cloned(CLONE_NEWUSER | CLONE_NEWPID); }});
  p.push_back({"clone-newuser-high-half", [] { return cloned(CLONE_NEWUSER | 1ULL << 32); }});
  p.push_back({"clone3-newuser", [] { return cloned3(CLONE_NEWUSER); }});
  p.push_back({"clone3-plain", [] { return cloned3(0); }});
  p.push_back({"setns-net", [] { return entered("/proc/self/ns/net", 0); }});
  p.push_back({"setns-user", [] { return entered("/proc/self/ns/user", 0); }});
  p.push_back({"setns-pidfd", [] {
                 const long self = ::syscall(SYS_pidfd_open, ::getpid(), 0);
                 const long result =
                     in_child([&] { return long{::setns(static_cast<int>(self), CLONE_NEWUTS)}; });
                 return closed(self) < 0 ? -1 : result;
               }});
}

}  // namespace

void add_kernel_probes(Probes& probes) {
  add_subsystems(probes);
  add_other_processes(probes);
  add_mounts(probes);
  add_namespaces(probes);
}

}  // namespace aispm::probes
