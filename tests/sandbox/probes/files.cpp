// SPDX-License-Identifier: Apache-2.0
// Attempts 1 to 26: files.
#include <fcntl.h>
#include <sys/ioctl.h>
#include <sys/mman.h>
#include <sys/mount.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <unistd.h>

#include <cstring>

#include "tests/sandbox/probes/probe.hpp"

namespace aispm::probes {
namespace {

using std::string;

// Executes `path` in a child; its exit code says what it became.
long executed(const string& path, const char* mode) {
  return in_child([&] {
    ::execl(path.c_str(), "probe", mode, nullptr);
    return -1L;
  });
}

// Removes what an attempt made; gives its result.
long removed(long result, const string& path) {
  const int error = errno;
  ::unlink(path.c_str());
  errno = error;
  return result;
}

// Climbs from `folder` by ".." and looks for the secret from there.
long climb(const string& folder, const string& secret) {
  int fd = ::open(folder.c_str(), O_PATH | O_DIRECTORY | O_CLOEXEC);
  for (int i = 0; i < 64 && fd >= 0; ++i) {
    const int up = ::openat(fd, "..", O_PATH | O_DIRECTORY | O_CLOEXEC);
    ::close(fd);
    fd = up;
  }
  if (fd < 0) return -1;
  const long found = closed(::openat(fd, secret.c_str() + 1, O_RDONLY | O_CLOEXEC));
  closed(fd);
  return found;
}

long copy_and_run(const string& folder) {
  const string copy = folder + "/probe-copy";
  const int fd = ::open(copy.c_str(), O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0700);
  if (fd < 0) return -1;
  const string script = "#!/bin/true\n";
  const bool is_whole =
      ::write(fd, script.data(), script.size()) == static_cast<ssize_t>(script.size());
  ::close(fd);
  return removed(is_whole ? executed(copy, "--run") : -1, copy);
}

long link_open_file(const char* folder) {
  const int fd = ::open(folder, O_TMPFILE | O_RDWR | O_CLOEXEC, 0600);
  if (fd < 0) return -1;
  const string self = "/proc/self/fd/" + std::to_string(fd);
  const long result =
      ::linkat(AT_FDCWD, self.c_str(), AT_FDCWD, "/tmp/probe-linked", AT_SYMLINK_FOLLOW);
  closed(fd);
  return removed(result, "/tmp/probe-linked");
}

// Descriptors beyond 0, 1, 2 that somebody left to us.
long inherited_descriptors() {
  for (int fd = 3; fd < 64; ++fd)
    if (::fcntl(fd, F_GETFD) >= 0) return fd;
  return absent();
}

void add_reads(Probes& p) {
  p.push_back({"read-shadow", [] { return try_open("/etc/shadow", O_RDONLY); }});
  p.push_back({"read-root-home", [] { return try_open("/root", O_RDONLY | O_DIRECTORY); }});
  p.push_back({"read-host-file", [] { return try_open(prepared("SECRET"), O_RDONLY); }});
  p.push_back(
      {"read-root-only", [] { return try_open(prepared("SHARED") + "/root-only", O_RDONLY); }});
  p.push_back({"proc-1-root", [] { return try_open("/proc/1/root/etc", O_RDONLY | O_DIRECTORY); }});
  p.push_back({"proc-parent-root", [] {
                 return try_open(
                     "/proc/" + std::to_string(::getppid()) + "/root" + prepared("SECRET"),
                     O_RDONLY);
               }});
  p.push_back({"proc-self-root-up",
               [] { return try_open("/proc/self/root/.." + prepared("SECRET"), O_RDONLY); }});
  p.push_back({"dot-dot-absolute", [] {
                 return try_open(prepared("WORK") + "/../../../../../../../.." + prepared("SECRET"),
                                 O_RDONLY);
               }});
  p.push_back({"dot-dot-openat", [] { return climb(prepared("WORK"), prepared("SECRET")); }});
  p.push_back({"dot-dot-chdir", [] {
                 return in_child([] {
                   if (::chdir(prepared("WORK").c_str()) != 0) return -1L;
                   for (int i = 0; i < 64; ++i)
                     if (::chdir("..") != 0) return -1L;
                   return try_open(prepared("SECRET").substr(1), O_RDONLY);
                 });
               }});
  p.push_back(
      {"planted-symlink", [] { return try_open(prepared("WORK") + "/planted", O_RDONLY); }});
  p.push_back({"own-symlink", [] {
                 const string link = prepared("WORK") + "/made-inside";
                 ::unlink(link.c_str());
                 if (::symlink(prepared("SECRET").c_str(), link.c_str()) != 0) return -1L;
                 return removed(try_open(link, O_RDONLY), link);
               }});
  p.push_back(
      {"inherited-fd-7", [] { return closed(::openat(7, "shadow", O_RDONLY | O_CLOEXEC)); }});
  p.push_back({"inherited-fds", inherited_descriptors});
}

void add_writes(Probes& p) {
  p.push_back(
      {"write-usr", [] { return try_open("/usr/aispm-probe", O_WRONLY | O_CREAT | O_EXCL); }});
  p.push_back(
      {"write-etc", [] { return try_open("/etc/aispm-probe", O_WRONLY | O_CREAT | O_EXCL); }});
  p.push_back(
      {"write-root-folder", [] { return try_open("/aispm-probe", O_WRONLY | O_CREAT | O_EXCL); }});
  p.push_back({"write-python-path", [] {
                 return try_open("/usr/lib/python3/dist-packages/aispm-probe.pth",
                                 O_WRONLY | O_CREAT | O_EXCL);
               }});
  p.push_back(
      {"write-shared-read-only", [] { return try_open(prepared("SHARED") + "/file", O_WRONLY); }});
  p.push_back({"write-shared-submount", [] {
                 return try_open(prepared("SHARED") + "/sub/made", O_WRONLY | O_CREAT | O_EXCL);
               }});
  p.push_back({"remount-read-write", [] {
                 return long{::mount(nullptr, "/usr", nullptr, MS_REMOUNT | MS_BIND, nullptr)};
               }});
  p.push_back({"write-proc-1-exe", [] { return try_open("/proc/1/exe", O_WRONLY); }});
  p.push_back({"swap-dev-null", [] {
                 return ::unlink("/dev/null") != 0
                            ? -1L
                            : long{::symlink("/proc/sys/kernel/core_pattern", "/dev/null")};
               }});
  p.push_back({"hardlink-usr", [] {
                 return removed(::link("/usr/bin/env", "/tmp/probe-hardlink"),
                                "/tmp/probe-hardlink");
               }});
  p.push_back({"tmpfile-in-usr", [] { return link_open_file("/usr"); }});
  p.push_back({"device-ioctl", [] {
                 const int fd = ::open("/dev/random", O_RDONLY | O_CLOEXEC);
                 int bits = 0;
                 const long result = ::ioctl(fd, 0x80045200U /* RNDGETENTCNT */, &bits);
                 closed(fd);
                 return result;
               }});
}

void add_special_files(Probes& p) {
  p.push_back({"mknod-block", [] {
                 const long result =
                     ::mknod("/tmp/probe-disk", S_IFBLK | 0600, static_cast<dev_t>(254) << 8);
                 const int error = errno;
                 ::unlink("/tmp/probe-disk");
                 errno = error;
                 return result;
               }});
  for (const char* device :
       {"mem", "kmsg", "kvm", "fuse", "net/tun", "vsock", "vda", "loop-control"})
    p.push_back({string("dev-") + device,
                 [device] { return try_open(string("/dev/") + device, O_RDWR | O_NONBLOCK); }});
  const auto writes = [&](const char* name, const char* path) {
    p.push_back({name, [path] { return try_open(path, O_WRONLY); }});
  };
  writes("core-pattern-write", "/proc/sys/kernel/core_pattern");
  writes("sysctl-modprobe-write", "/proc/sys/kernel/modprobe");
  writes("sysctl-overcommit-write", "/proc/sys/vm/overcommit_memory");
  writes("sysctl-hotplug-write", "/proc/sys/kernel/hotplug");
  writes("sysctl-net-write", "/proc/sys/net/ipv4/ip_forward");
  writes("binfmt-register-write", "/proc/sys/fs/binfmt_misc/register");
  writes("sysrq-write", "/proc/sysrq-trigger");
  writes("uevent-helper-write", "/sys/kernel/uevent_helper");
  writes("power-state-write", "/sys/power/state");
  writes("cgroup-procs-write", "/sys/fs/cgroup/cgroup.procs");
  writes("cgroup1-procs-write", "/sys/fs/cgroup/memory/cgroup.procs");
  writes("release-agent-write", "/sys/fs/cgroup/memory/release_agent");
}

void add_programs(Probes& p) {
  p.push_back({"setuid-copy", [] { return executed(prepared("SHARED") + "/suid", "--euid"); }});
  p.push_back({"setuid-own", [] {
                 const string copy = prepared("WORK") + "/own-suid";
                 closed(::open(copy.c_str(), O_WRONLY | O_CREAT | O_CLOEXEC, 0700));
                 return removed(::chmod(copy.c_str(), 04755), copy);
               }});
  p.push_back({"setuid-made", [] {
                 const string made = prepared("WORK") + "/made-suid";
                 return removed(closed(::open(made.c_str(), O_WRONLY | O_CREAT | O_CLOEXEC, 04755)),
                                made);
               }});
  p.push_back(
      {"file-capabilities", [] { return executed(prepared("SHARED") + "/caps", "--caps"); }});
  p.push_back({"exec-from-tmp", [] { return copy_and_run("/tmp"); }});
  p.push_back({"exec-from-shm", [] { return copy_and_run("/dev/shm"); }});
  p.push_back({"memfd", [] { return closed(::memfd_create("x", MFD_CLOEXEC)); }});
  p.push_back({"memfd-exec-seal-off",
               [] { return closed(::memfd_create("x", MFD_CLOEXEC | 0x10U /* MFD_EXEC */)); }});
  p.push_back({"execveat-empty-path", [] {
                 return in_child([] {
                   const int fd = ::open("/bin/true", O_PATH | O_CLOEXEC);
                   char name[] = "true";
                   char* argv[] = {name, nullptr};
                   return ::syscall(SYS_execveat, fd, "", argv, nullptr, AT_EMPTY_PATH);
                 });
               }});
  p.push_back(
      {"loader-environment", [] { return ::getenv("LD_PRELOAD") == nullptr ? absent() : 0L; }});
  p.push_back({"python-environment", [] {
                 return ::getenv("PYTHONPATH") == nullptr && ::getenv("PYTHONSTARTUP") == nullptr
                            ? absent()
                            : 0L;
               }});
}

}  // namespace

void add_file_probes(Probes& probes) {
  add_reads(probes);
  add_writes(probes);
  add_special_files(probes);
  add_programs(probes);
}

}  // namespace aispm::probes
