// SPDX-License-Identifier: Apache-2.0
// Escape attempts, one a name. Prints one line each: "<name> ok" when it succeeded, "<name> <errno
// name>" when it was refused. `probe NAME...` runs these, `probe --list` names all, `probe
// --harmless` those that a plain process may run as a control.
#include <fcntl.h>
#include <linux/audit.h>
#include <linux/filter.h>
#include <linux/seccomp.h>
#include <sched.h>
#include <signal.h>
#include <sys/ioctl.h>
#include <sys/mman.h>
#include <sys/mount.h>
#include <sys/personality.h>
#include <sys/prctl.h>
#include <sys/ptrace.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cerrno>
#include <cstdint>
#include <cstdio>
#include <cstring>
#include <functional>
#include <string>
#include <vector>

namespace {

struct Probe {
  std::string name;
  bool is_harmless;               // succeeds without any effect when run bare
  std::function<long()> attempt;  // negative: refused, errno says why
};

long try_open(const char* path, int flags) {
  const int fd = ::open(path, flags | O_CLOEXEC);
  if (fd >= 0) ::close(fd);
  return fd;
}
long try_socket(int family, int type, int protocol) {
  const int fd = ::socket(family, type, protocol);
  if (fd >= 0) ::close(fd);
  return fd;
}
// Runs in a child so that a success changes nothing here.
long in_child(const std::function<long()>& attempt) {
  const pid_t pid = ::fork();
  if (pid < 0) return -1;
  if (pid == 0) {
    errno = 0;
    ::_exit(attempt() < 0 ? (errno == 0 ? 255 : errno) : 0);
  }
  int status = 0;
  ::waitpid(pid, &status, 0);
  if (WIFSIGNALED(status)) {
    errno = EINTR;
    return -1;
  }
  errno = WEXITSTATUS(status);
  return errno == 0 ? 0 : -1;
}

#if defined(__x86_64__)
long i386_getpid() {
  long result = 20;  // getpid of the i386 table
  asm volatile("int $0x80" : "+a"(result) : : "memory", "r8", "r9", "r10", "r11");
  if (result < 0) {
    errno = static_cast<int>(-result);
    return -1;
  }
  return result;
}
#endif

std::vector<Probe> all_probes() {
  std::vector<Probe> probes;
  const auto add = [&](const char* name, bool is_harmless, std::function<long()> attempt) {
    probes.push_back({name, is_harmless, std::move(attempt)});
  };
  // Files
  add("read-shadow", true, [] { return try_open("/etc/shadow", O_RDONLY); });
  add("read-root-home", true, [] { return try_open("/root", O_RDONLY | O_DIRECTORY); });
  add("proc-1-root", false, [] { return try_open("/proc/1/root", O_RDONLY | O_DIRECTORY); });
  add("proc-1-environ", false, [] { return try_open("/proc/1/environ", O_RDONLY); });
  add("proc-1-mem", false, [] { return try_open("/proc/1/mem", O_RDWR); });
  add("core-pattern-write", true,
      [] { return try_open("/proc/sys/kernel/core_pattern", O_WRONLY); });
  add("sysctl-overcommit-write", true,
      [] { return try_open("/proc/sys/vm/overcommit_memory", O_WRONLY); });
  add("sysrq-write", true, [] { return try_open("/proc/sysrq-trigger", O_WRONLY); });
  add("proc-cmdline", true, [] { return try_open("/proc/cmdline", O_RDONLY); });
  add("proc-kallsyms", true, [] { return try_open("/proc/kallsyms", O_RDONLY); });
  add("sysfs", true, [] { return try_open("/sys", O_RDONLY | O_DIRECTORY); });
  add("cgroupfs", true, [] { return try_open("/sys/fs/cgroup", O_RDONLY | O_DIRECTORY); });
  add("dev-mem", false, [] { return try_open("/dev/mem", O_RDONLY); });
  add("dev-kmsg", true, [] { return try_open("/dev/kmsg", O_RDONLY); });
  add("dev-tun", false, [] { return try_open("/dev/net/tun", O_RDWR); });
  add("dev-vda", false, [] { return try_open("/dev/vda", O_RDONLY); });
  add("write-usr", false, [] { return try_open("/usr/aispm-probe", O_WRONLY | O_CREAT); });
  add("write-etc", false, [] { return try_open("/etc/aispm-probe", O_WRONLY | O_CREAT); });
  add("write-root-folder", false, [] { return try_open("/aispm-probe", O_WRONLY | O_CREAT); });
  add("inherited-fd-7", true, [] { return ::fcntl(7, F_GETFD); });
  add("mknod-block", false,
      [] { return ::mknod("/tmp/probe-disk", S_IFBLK | 0600, static_cast<dev_t>(254) << 8); });
  // Kernel surface
  add("bpf", false, [] {
    char attributes[128] = {};
    return ::syscall(SYS_bpf, 0, attributes, sizeof(attributes));
  });
  add("io-uring", true, [] {
    char parameters[120] = {};
    const long fd = ::syscall(SYS_io_uring_setup, 4, parameters);
    if (fd >= 0) ::close(static_cast<int>(fd));
    return fd;
  });
  add("userfaultfd", true, [] {
    const long fd = ::syscall(SYS_userfaultfd, O_CLOEXEC | 1);
    if (fd >= 0) ::close(static_cast<int>(fd));
    return fd;
  });
  add("keyctl", true, [] { return ::syscall(SYS_keyctl, 0 /* GET_KEYRING_ID */, -3, 1); });
  add("perf-event-open", false, [] {
    char attributes[128] = {};
    return ::syscall(SYS_perf_event_open, attributes, 0, -1, -1, 0);
  });
  add("ptrace-traceme", true,
      [] { return in_child([] { return ::ptrace(PTRACE_TRACEME, 0, nullptr, nullptr); }); });
  add("process-vm-readv", true, [] {
    char byte = 1;
    iovec local{&byte, 1};
    iovec remote{&byte, 1};
    return ::syscall(SYS_process_vm_readv, ::getpid(), &local, 1, &remote, 1, 0);
  });
  add("mount", false, [] { return ::mount("none", "/tmp", "tmpfs", 0, nullptr); });
  add("remount-rw", false,
      [] { return ::mount(nullptr, "/usr", nullptr, MS_REMOUNT | MS_BIND, nullptr); });
  add("umount", false, [] { return ::umount2("/proc", MNT_DETACH); });
  add("pivot-root", false, [] { return ::syscall(SYS_pivot_root, ".", "."); });
  add("chroot", true, [] { return in_child([] { return static_cast<long>(::chroot("/tmp")); }); });
  add("fsopen", true, [] {
    const long fd = ::syscall(SYS_fsopen, "tmpfs", 0);
    if (fd >= 0) ::close(static_cast<int>(fd));
    return fd;
  });
  add("open-tree", true, [] {
    const long fd = ::syscall(SYS_open_tree, -100, "/", 1);
    if (fd >= 0) ::close(static_cast<int>(fd));
    return fd;
  });
  add("unshare-user", true,
      [] { return in_child([] { return static_cast<long>(::unshare(CLONE_NEWUSER)); }); });
  add("unshare-net", true,
      [] { return in_child([] { return static_cast<long>(::unshare(CLONE_NEWNET)); }); });
  add("clone-newuser", true, [] {
    const long pid = ::syscall(SYS_clone, CLONE_NEWUSER | SIGCHLD, 0, 0, 0, 0);
    if (pid == 0) ::_exit(0);
    if (pid > 0) ::waitpid(static_cast<pid_t>(pid), nullptr, 0);
    return pid;
  });
  add("clone3-newuser", true, [] {
    std::uint64_t arguments[8] = {CLONE_NEWUSER, 0, 0, 0, SIGCHLD, 0, 0, 0};
    const long pid = ::syscall(SYS_clone3, arguments, sizeof(arguments));
    if (pid == 0) ::_exit(0);
    if (pid > 0) ::waitpid(static_cast<pid_t>(pid), nullptr, 0);
    return pid;
  });
  add("setns", true, [] {
    const int fd = ::open("/proc/self/ns/net", O_RDONLY | O_CLOEXEC);
    const long result = ::setns(fd, 0);
    const int error = errno;
    ::close(fd);
    errno = error;
    return result;
  });
  add("init-module", false, [] { return ::syscall(SYS_init_module, nullptr, 0, ""); });
  add("kexec", false, [] { return ::syscall(SYS_kexec_load, 0, 0, nullptr, 0); });
  add("reboot", false, [] { return ::syscall(SYS_reboot, 0, 0, 0, nullptr); });
  add("name-to-handle", true, [] {
    struct {
      unsigned bytes;
      int type;
      char data[128];
    } handle{128, 0, {}};
    int mount = 0;
    return ::syscall(SYS_name_to_handle_at, -100, "/", &handle, &mount, 0);
  });
  add("memfd-exec", true, [] {
    const int fd = ::memfd_create("x", MFD_CLOEXEC);
    if (fd >= 0) ::close(fd);
    return static_cast<long>(fd);
  });
  add("seccomp-listener", true, [] {
    return in_child([] {
      ::prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0);
      sock_filter allow{BPF_RET | BPF_K, 0, 0, SECCOMP_RET_ALLOW};
      sock_fprog program{1, &allow};
      return ::syscall(SYS_seccomp, SECCOMP_SET_MODE_FILTER, SECCOMP_FILTER_FLAG_NEW_LISTENER,
                       &program);
    });
  });
  add("prctl-set-seccomp", true, [] {
    return in_child([] {
      sock_filter allow{BPF_RET | BPF_K, 0, 0, SECCOMP_RET_ALLOW};
      sock_fprog program{1, &allow};
      ::prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0);
      return static_cast<long>(::prctl(PR_SET_SECCOMP, 2, &program));
    });
  });
  add("personality", true,
      [] { return in_child([] { return static_cast<long>(::personality(ADDR_NO_RANDOMIZE)); }); });
  add("pidfd-getfd", true, [] {
    const long self = ::syscall(SYS_pidfd_open, ::getpid(), 0);
    return ::syscall(SYS_pidfd_getfd, self, 0, 0);
  });
  add("syslog", true, [] { return ::syscall(SYS_syslog, 10 /* SIZE_BUFFER */, nullptr, 0); });
  add("sethostname", false, [] { return ::sethostname("probe", 5); });
  add("setuid-root", false, [] { return ::setuid(0); });
  add("kcmp", true, [] { return ::syscall(SYS_kcmp, ::getpid(), ::getpid(), 0, 0, 0); });
  add("unknown-syscall", false, [] { return ::syscall(4000); });
  add("negative-syscall", false, [] { return ::syscall(-1); });
#if defined(__x86_64__)
  add("x32-getpid", false, [] { return ::syscall(0x40000000 | SYS_getpid); });
  add("i386-getpid", true, [] { return i386_getpid(); });
#endif
  // Sockets
  add("af-unix", true, [] { return try_socket(AF_UNIX, SOCK_STREAM, 0); });
  add("af-vsock", true, [] { return try_socket(40, SOCK_STREAM, 0); });
  add("af-vsock-high-half", true,
      [] { return ::syscall(SYS_socket, 40ULL | 1ULL << 32, SOCK_STREAM, 0); });
  add("af-packet", true, [] { return try_socket(AF_PACKET, SOCK_RAW, 0); });
  add("af-alg", true, [] { return try_socket(38, SOCK_SEQPACKET, 0); });
  add("raw-socket", true, [] { return try_socket(AF_INET, SOCK_RAW, 1); });
  add("netlink-audit", true, [] { return try_socket(AF_NETLINK, SOCK_RAW, 9); });
  add("netlink-netfilter", true, [] { return try_socket(AF_NETLINK, SOCK_RAW, 12); });
  // Terminals, also with bits above 32
  add("tiocsti", false, [] {
    char c = 'x';
    return ::ioctl(0, 0x5412, &c);
  });
  add("tiocsti-high-half", false, [] {
    char c = 'x';
    return ::syscall(SYS_ioctl, 0, 0x5412ULL | 1ULL << 32, &c);
  });
  // Others
  add("kill-init", false, [] {
    ::kill(1, SIGKILL);
    return ::kill(1, SIGSTOP) < 0 ? -1L : (errno = EPERM, -1L);
  });
  add("signal-everyone", true, [] { return ::kill(-1, 0); });
  // Positive: what must work
  add("must-af-inet", true, [] { return try_socket(AF_INET, SOCK_STREAM, 0); });
  add("must-af-inet6", true, [] { return try_socket(AF_INET6, SOCK_DGRAM, 0); });
  add("must-netlink-route", true, [] { return try_socket(AF_NETLINK, SOCK_RAW, 0); });
  add("must-write-tmp", true, [] { return try_open("/tmp/probe-file", O_WRONLY | O_CREAT); });
  add("must-dev-null", true, [] { return try_open("/dev/null", O_RDWR); });
  add("must-fork", true, [] { return in_child([] { return 0L; }); });
  return probes;
}

const char* name_of(int error) {
  const char* name = ::strerrorname_np(error);
  return name == nullptr ? "E?" : name;
}

}  // namespace

int main(int argc, char** argv) {
  const std::string mode = argc > 1 ? argv[1] : "";
  for (const Probe& probe : all_probes()) {
    if (mode == "--list" || (mode == "--harmless" && probe.is_harmless)) {
      std::puts(probe.name.c_str());
      continue;
    }
    bool is_wanted = mode.empty();
    for (int i = 1; i < argc; ++i) is_wanted = is_wanted || probe.name == argv[i];
    if (!is_wanted) continue;
    errno = 0;
    const long result = probe.attempt();
    const int error = errno;
    std::printf("%s %s\n", probe.name.c_str(), result < 0 ? name_of(error) : "ok");
    std::fflush(stdout);
  }
  return 0;
}
