// SPDX-License-Identifier: Apache-2.0
#include "sandbox/enter/enter.hpp"

#include <fcntl.h>
#include <linux/seccomp.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/syscall.h>

#include "sandbox/model/control.hpp"
#include "sandbox/model/filter.hpp"
#include "sandbox/model/late.hpp"

namespace {

using aispm::sandbox::ControlKind;
using aispm::sandbox::ControlMessage;
using aispm::sandbox::EnterHeader;

constexpr int kFds = 5;      // what comes with kEnter
constexpr int kPayload = 4;  // where what to run is kept
constexpr int kSpare = 16;   // received descriptors are moved from here on, out of the way
constexpr int kExitFailed = 125;
constexpr unsigned kWaitKillable = 1U << 5;  // SECCOMP_FILTER_FLAG_WAIT_KILLABLE_RECV, Linux 5.19
constexpr std::uint64_t kMaxPathBytes = 4096;

long call(long number, long a = 0, long b = 0, long c = 0, long d = 0, long e = 0) {
#if defined(__x86_64__)
  long result = 0;
  register long r10 asm("r10") = d;
  register long r8 asm("r8") = e;
  asm volatile("syscall"
               : "=a"(result)
               : "a"(number), "D"(a), "S"(b), "d"(c), "r"(r10), "r"(r8)
               : "rcx", "r11", "memory");
  return result;
#elif defined(__aarch64__)
  register long x8 asm("x8") = number;
  register long x0 asm("x0") = a;
  register long x1 asm("x1") = b;
  register long x2 asm("x2") = c;
  register long x3 asm("x3") = d;
  register long x4 asm("x4") = e;
  asm volatile("svc 0" : "+r"(x0) : "r"(x8), "r"(x1), "r"(x2), "r"(x3), "r"(x4) : "memory");
  return x0;
#else
#error "no system call for this processor"
#endif
}

template <class T>
long address(T* of) {
  return reinterpret_cast<long>(of);
}

// Zero from the start, so that nothing has to be filled: one process enters once.
ControlMessage outgoing;
ControlMessage incoming;
EnterHeader header;
char folder[kMaxPathBytes];

union Control {
  cmsghdr header;
  char bytes[CMSG_SPACE(sizeof(int) * kFds)];
};
Control control;

long send(int setup, ControlKind kind, long value, int fd) {
  outgoing.kind = kind;
  outgoing.value = static_cast<std::uint64_t>(value);
  iovec part{&outgoing, sizeof(outgoing)};
  msghdr message;
  message.msg_name = nullptr;
  message.msg_namelen = 0;
  message.msg_iov = &part;
  message.msg_iovlen = 1;
  message.msg_control = nullptr;
  message.msg_controllen = 0;
  message.msg_flags = 0;
  if (fd >= 0) {
    control.header.cmsg_level = SOL_SOCKET;
    control.header.cmsg_type = SCM_RIGHTS;
    control.header.cmsg_len = CMSG_LEN(sizeof(int));
    *reinterpret_cast<int*>(CMSG_DATA(&control.header)) = fd;
    message.msg_control = &control;
    message.msg_controllen = CMSG_SPACE(sizeof(int));
  }
  return call(SYS_sendmsg, setup, address(&message), MSG_NOSIGNAL);
}

[[noreturn]] void end(int code) {
  for (;;) call(SYS_exit_group, code);
}

[[noreturn]] void fail(int setup, const char* what, long error) {
  char* to = outgoing.text;
  for (; *what != '\0'; ++what) *to++ = *what;
  for (const char* part = ": errno "; *part != '\0'; ++part) *to++ = *part;
  const long number = error < 0 ? -error : 0;
  if (number >= 100) *to++ = static_cast<char>('0' + number / 100 % 10);
  if (number >= 10) *to++ = static_cast<char>('0' + number / 10 % 10);
  *to++ = static_cast<char>('0' + number % 10);
  *to = '\0';
  send(setup, ControlKind::kFailed, kExitFailed, -1);
  end(kExitFailed);
}

// With `fds`: exactly kFds of them must come.
void receive(int setup, ControlKind kind, int* fds) {
  iovec part{&incoming, sizeof(incoming)};
  msghdr message;
  message.msg_name = nullptr;
  message.msg_namelen = 0;
  message.msg_iov = &part;
  message.msg_iovlen = 1;
  message.msg_control = fds == nullptr ? nullptr : &control;
  message.msg_controllen = fds == nullptr ? 0 : sizeof(control);
  message.msg_flags = 0;
  const long size = call(SYS_recvmsg, setup, address(&message), MSG_CMSG_CLOEXEC);
  if (size == 0) end(0);  // nobody took it
  if (size != static_cast<long>(sizeof(incoming)) || incoming.kind != kind)
    fail(setup, "an unexpected message came to a waiting sandbox", size);
  if (fds == nullptr) return;
  if (message.msg_controllen < CMSG_LEN(sizeof(int) * kFds) ||
      control.header.cmsg_type != SCM_RIGHTS ||
      control.header.cmsg_len != CMSG_LEN(sizeof(int) * kFds))
    fail(setup, "streams are missing", 0);
  const int* sent = reinterpret_cast<const int*>(CMSG_DATA(&control.header));
  for (int i = 0; i < kFds; ++i) fds[i] = sent[i];
}

void check(int setup, long result, const char* what) {
  if (result < 0) fail(setup, what, result);
}

// Another thread would keep what this one gives up.
void check_alone(int setup) {
  struct stat tasks;
  check(setup, call(SYS_newfstatat, AT_FDCWD, address("/proc/self/task"), address(&tasks), 0),
        "look at the own threads");
  if (tasks.st_nlink != 3) fail(setup, "a waiting interpreter has more than one thread", 0);
}

void read_header(int setup) {
  const long size = call(SYS_pread64, kPayload, address(&header), sizeof(header), 0);
  if (size != static_cast<long>(sizeof(header)) || header.magic != aispm::sandbox::kEnterMagic ||
      header.limits > aispm::sandbox::kMaxEnterLimits)
    fail(setup, "what to run is cut", size);
  const long bytes =
      call(SYS_pread64, kPayload, address(folder), sizeof(folder), header.text_offset);
  for (long i = 0; i < bytes; ++i)
    if (folder[i] == '\0') return;
  fail(setup, "the folder's name is too long", bytes);
}

// A lower limit stays.
void set_limits(int setup) {
  for (std::uint32_t i = 0; i < header.limits; ++i) {
    const EnterHeader::Limit& wanted = header.limit[i];
    rlimit limit;
    check(setup, call(SYS_prlimit64, 0, wanted.resource, 0, address(&limit)), "read a limit");
    limit.rlim_cur = wanted.soft < limit.rlim_max ? wanted.soft : limit.rlim_max;
    limit.rlim_max = wanted.hard < limit.rlim_max ? wanted.hard : limit.rlim_max;
    check(setup, call(SYS_prlimit64, 0, wanted.resource, address(&limit), 0), "set a limit");
  }
}

long install_filter() {
  const sock_fprog program{static_cast<unsigned short>(aispm::sandbox::kNativeFilter.size()),
                           const_cast<sock_filter*>(aispm::sandbox::kNativeFilter.data())};
  return call(SYS_seccomp, SECCOMP_SET_MODE_FILTER,
              SECCOMP_FILTER_FLAG_NEW_LISTENER | kWaitKillable, address(&program));
}

}  // namespace

extern "C" {

int aispm_enter_ready(int setup) { return send(setup, ControlKind::kReady, 0, -1) < 0 ? -1 : 0; }

int aispm_enter(int setup) {
  int fds[kFds];
  receive(setup, ControlKind::kEnter, fds);
  check_alone(setup);
  // Out of the way of 0 to 4 first.
  for (int& fd : fds) {
    const long moved = call(SYS_fcntl, fd, F_DUPFD_CLOEXEC, kSpare);
    check(setup, moved, "move a descriptor");
    fd = static_cast<int>(moved);
  }
  check(setup, call(SYS_dup3, fds[0], kPayload, O_CLOEXEC), "keep what to run");
  for (int fd = 0; fd < 3; ++fd) check(setup, call(SYS_dup3, fds[fd + 2], fd, 0), "take a stream");
  read_header(setup);
  call(SYS_umask, header.umask);
  set_limits(setup);
  check(setup, call(SYS_chdir, address(folder)), "enter the agent's folder");
  check(setup, call(SYS_landlock_restrict_self, fds[1], header.landlock_flags), "restrict files");
  check(setup, call(SYS_close_range, kPayload + 1, 0xFFFFFFFFL, 0), "close descriptors");
  check(setup,
        call(SYS_rt_sigprocmask, 2 /* SIG_SETMASK */, address(&header.signal_mask), 0,
             sizeof(header.signal_mask)),
        "set the signal mask");
  const long listener = install_filter();
  check(setup, listener, "install the system call filter");
  check(setup, send(setup, ControlKind::kListener, 0, static_cast<int>(listener)),
        "hand out the listener");
  call(SYS_close, listener);
  receive(setup, ControlKind::kGo, nullptr);
  return kPayload;
}
}
