// SPDX-License-Identifier: Apache-2.0
// Attempts 42 to 60: single calls, their arguments, other architectures, races against the
// supervisor.
#include <fcntl.h>
#include <linux/filter.h>
#include <linux/seccomp.h>
#include <netinet/in.h>
#include <sched.h>
#include <signal.h>
#include <sys/ioctl.h>
#include <sys/mman.h>
#include <sys/personality.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <sys/swap.h>
#include <sys/syscall.h>
#include <sys/time.h>
#include <sys/timex.h>
#include <sys/uio.h>
#include <sys/wait.h>
#include <unistd.h>

#include <atomic>
#include <chrono>
#include <cstdint>
#include <cstring>
#include <thread>

#include "tests/sandbox/probes/probe.hpp"

namespace aispm::probes {
namespace {

constexpr std::uint64_t kHigh = 1ULL << 32;

// On standard input, whatever that is: the filter looks at the command before the descriptor.
long terminal_ioctl(std::uint64_t command) {
  char value[64] = "x";
  return ::syscall(SYS_ioctl, 0, command, value);
}

sock_fprog* allow_all() {
  static sock_filter allow{BPF_RET | BPF_K, 0, 0, SECCOMP_RET_ALLOW};
  static sock_fprog program{1, &allow};
  return &program;
}

#if defined(__x86_64__)
long i386_call(long number) {
  long result = number;
  asm volatile("int $0x80" : "+a"(result) : : "memory", "r8", "r9", "r10", "r11");
  if (result >= 0) return result;
  errno = static_cast<int>(-result);
  return -1;
}

// int 0x80 behind a far jump to the 32-bit code segment: in a page below 4 GiB.
long far_call() {
  return in_child([] {
    void* const page = ::mmap(nullptr, 4096, PROT_READ | PROT_WRITE | PROT_EXEC,
                              MAP_PRIVATE | MAP_ANONYMOUS | MAP_32BIT, -1, 0);
    if (page == MAP_FAILED) return -1L;
    // mov eax,20 (getpid); int 0x80; then back: ljmp 0x33:<return>
    unsigned char code[] = {0xB8, 20, 0, 0, 0, 0xCD, 0x80, 0xEA, 0, 0, 0, 0, 0x33, 0, 0xC3};
    const auto base = static_cast<std::uint32_t>(reinterpret_cast<std::uintptr_t>(page));
    const std::uint32_t back = base + 14;
    std::memcpy(code + 8, &back, 4);
    std::memcpy(page, code, sizeof(code));
    struct __attribute__((packed)) {
      std::uint32_t offset;
      std::uint16_t segment;
    } target{base, 0x23};
    long result = 0;
    // The stack must lie below 4 GiB too. Its lowest word keeps the old one.
    void* const stack = static_cast<char*>(page) + 2048;
    asm volatile(
        "mov %%rsp, (%%rdi)\n\t"
        "mov %%rdi, %%rsp\n\t"
        "lea 1f(%%rip), %%rcx\n\t"
        "push %%rcx\n\t"
        "ljmpl *(%%rsi)\n\t"
        "1: mov (%%rsp), %%rsp"
        : "=a"(result)
        : "D"(stack), "S"(&target)
        : "rcx", "memory", "r8", "r9", "r10", "r11");
    const auto answer = static_cast<std::int32_t>(result);
    if (answer >= 0) return 0L;
    errno = -answer;
    return -1L;
  });
}
#endif

void add_terminal(Probes& p) {
  p.push_back({"tiocsti", [] { return terminal_ioctl(0x5412); }});
  p.push_back({"tiocsti-high-half", [] { return terminal_ioctl(0x5412 | kHigh); }});
  p.push_back({"tioclinux", [] { return terminal_ioctl(0x541C); }});
  p.push_back({"tioccons", [] { return terminal_ioctl(0x541D); }});
  p.push_back({"tiocsetd", [] { return terminal_ioctl(0x5423); }});
}

void add_filters(Probes& p) {
  p.push_back({"seccomp-listener", [] {
                 return in_child([] {
                   ::prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0);
                   return ::syscall(SYS_seccomp, SECCOMP_SET_MODE_FILTER,
                                    SECCOMP_FILTER_FLAG_NEW_LISTENER, allow_all());
                 });
               }});
  p.push_back({"seccomp-mute-reporter", [] {
                 return in_child([] {
                   ::prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0);
                   return ::syscall(SYS_seccomp, SECCOMP_SET_MODE_FILTER, 0, allow_all());
                 });
               }});
  p.push_back({"prctl-set-seccomp", [] {
                 return in_child([] {
                   ::prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0);
                   return long{::prctl(PR_SET_SECCOMP, 2, allow_all())};
                 });
               }});
  p.push_back({"landlock-create", [] {
                 std::uint64_t attributes[3] = {1};
                 return closed(::syscall(SYS_landlock_create_ruleset, attributes, 8, 0));
               }});
  p.push_back({"not-dumpable", [] {
                 return in_child([] {
                   ::prctl(PR_SET_DUMPABLE, 0);
                   return ::syscall(SYS_kcmp, ::getpid(), ::getpid(), 0, 0, 0);
                 });
               }});
}

void add_handles(Probes& p) {
  struct Handle {
    unsigned bytes;
    int type;
    char data[128];
  };
  p.push_back({"name-to-handle", [] {
                 Handle handle{128, 0, {}};
                 int mount = 0;
                 return ::syscall(SYS_name_to_handle_at, AT_FDCWD, "/", &handle, &mount, 0);
               }});
  p.push_back({"open-by-handle", [] {
                 Handle handle{8, 1, {2}};
                 return closed(
                     ::syscall(SYS_open_by_handle_at, AT_FDCWD, &handle, O_RDONLY | O_CLOEXEC));
               }});
}

void add_administration(Probes& p) {
  const auto call = [&](const char* name, std::function<long()> attempt) {
    p.push_back({name, [attempt = std::move(attempt)] { return in_child(attempt); }});
  };
  call("personality-no-randomize", [] { return long{::personality(ADDR_NO_RANDOMIZE)}; });
  call("personality-read-implies-exec", [] { return long{::personality(READ_IMPLIES_EXEC)}; });
#if defined(__x86_64__)
  call("modify-ldt", [] {
    char buffer[16] = {};
    return ::syscall(SYS_modify_ldt, 0, buffer, sizeof(buffer));
  });
  call("iopl", [] { return ::syscall(SYS_iopl, 3); });
  call("ioperm", [] { return ::syscall(SYS_ioperm, 0x80, 1, 1); });
#endif
  call("syslog", [] { return ::syscall(SYS_syslog, 10 /* SIZE_BUFFER */, nullptr, 0); });
  call("syslog-read-all", [] {
    char buffer[64];
    return ::syscall(SYS_syslog, 3, buffer, sizeof(buffer));
  });
  call("reboot", [] { return ::syscall(SYS_reboot, 0, 0, 0, nullptr); });
  call("swapon", [] { return long{::swapon("/dev/null", 0)}; });
  call("acct", [] { return long{::acct("/dev/null")}; });
  call("quotactl", [] { return ::syscall(SYS_quotactl, 0x800001, nullptr, 0, nullptr); });
  call("settimeofday", [] {
    timeval now{};
    return long{::settimeofday(&now, nullptr)};
  });
  call("clock-settime", [] {
    timespec now{};
    return long{::clock_settime(CLOCK_REALTIME, &now)};
  });
  call("adjtimex", [] {
    timex change{};
    return long{::adjtimex(&change)};
  });
  call("sethostname", [] { return long{::sethostname("probe", 5)}; });
  call("setdomainname", [] { return long{::setdomainname("probe", 5)}; });
  call("fanotify-init",
       [] { return closed(::syscall(SYS_fanotify_init, 0x200 /* FID */, O_RDONLY)); });
  call("kcmp", [] { return ::syscall(SYS_kcmp, ::getpid(), ::getpid(), 0, 0, 0); });
  call("vmsplice-gift", [] {
    int ends[2];
    if (::pipe(ends) != 0) return -1L;
    alignas(4096) static char page[4096];
    iovec part{page, sizeof(page)};
    return long{::vmsplice(ends[1], &part, 1, SPLICE_F_GIFT)};
  });
  call("memfd-secret", [] { return closed(::syscall(447, 0)); });
  call("move-pages-of-init",
       [] { return ::syscall(SYS_move_pages, 1, 0, nullptr, nullptr, nullptr, 0); });
  call("process-madvise", [] { return ::syscall(SYS_process_madvise, -1, nullptr, 0, 0, 0); });
#if defined(__x86_64__)
  call("lookup-dcookie", [] {
    char buffer[16];
    return ::syscall(212, 1, buffer, sizeof(buffer));
  });
#endif
}

void add_numbers(Probes& p) {
  p.push_back({"unknown-1000", [] { return ::syscall(1000); }});
  p.push_back({"unknown-4000", [] { return ::syscall(4000); }});
  p.push_back({"unknown-minus-1", [] { return ::syscall(-1); }});
#if defined(__x86_64__)
  p.push_back({"x32-getpid", [] { return ::syscall(0x40000000 | SYS_getpid); }});
  p.push_back({"x32-ptrace", [] { return ::syscall(0x40000000 | 521); }});
  p.push_back({"i386-getpid", [] { return i386_call(20); }});
  p.push_back({"i386-mount", [] { return i386_call(21); }});
  p.push_back({"i386-far-jump", far_call});
#endif
  p.push_back({"vsock-high-half",
               [] { return closed(::syscall(SYS_socket, 40 | kHigh, SOCK_STREAM, 0)); }});
  p.push_back({"vsock-high-type",
               [] { return closed(::syscall(SYS_socket, 40, SOCK_STREAM | kHigh, 0)); }});
  p.push_back({"prctl-high-half", [] {
                 return in_child([] {
                   ::prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0);
                   return ::syscall(SYS_prctl, 22 | kHigh, 2, allow_all(), 0, 0);
                 });
               }});
  p.push_back(
      {"memfd-high-half", [] { return closed(::syscall(SYS_memfd_create, "x", 1 | kHigh << 3)); }});
}

// One thread connects, another flips the address between a server of our own and one outside.
long address_race() {
  const int server = ::socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
  sockaddr_in own{};
  own.sin_family = AF_INET;
  own.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
  socklen_t size = sizeof(own);
  if (::bind(server, reinterpret_cast<sockaddr*>(&own), size) != 0 || ::listen(server, 128) != 0 ||
      ::getsockname(server, reinterpret_cast<sockaddr*>(&own), &size) != 0)
    return -1;
  std::atomic<std::uint32_t> address{own.sin_addr.s_addr};
  static sockaddr_in shared;
  shared = own;
  std::atomic<bool> is_done{false};
  std::thread flipper([&] {
    const std::uint32_t outside = htonl(0xC0000201);  // 192.0.2.1
    auto* const word = reinterpret_cast<volatile std::uint32_t*>(&shared.sin_addr.s_addr);
    while (!is_done) {
      *word = outside;
      *word = own.sin_addr.s_addr;
    }
  });
  long escaped = 0;
  const auto end = std::chrono::steady_clock::now() + std::chrono::milliseconds(1500);
  while (std::chrono::steady_clock::now() < end) {
    const int client = ::socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
    if (::connect(client, reinterpret_cast<sockaddr*>(&shared), sizeof(shared)) == 0) {
      // Whoever was reached must be our own server.
      const int accepted = ::accept4(server, nullptr, nullptr, SOCK_CLOEXEC | SOCK_NONBLOCK);
      if (accepted < 0) ++escaped;
      closed(accepted);
    }
    ::close(client);
  }
  is_done = true;
  flipper.join();
  ::close(server);
  return escaped == 0 ? absent() : escaped;
}

// Callers that die while their call is being refused; afterwards refusal works as before.
long dying_callers() {
  for (int round = 0; round < 40; ++round) {
    const pid_t child = ::fork();
    if (child < 0) return 0;
    if (child == 0)
      for (;;) ::syscall(SYS_kcmp, 1, 1, 0, 0, 0);
    ::usleep(static_cast<useconds_t>(200 + 37 * round));
    ::kill(child, SIGKILL);
    ::waitpid(child, nullptr, 0);
  }
  return ::syscall(SYS_kcmp, ::getpid(), ::getpid(), 0, 0, 0);
}

}  // namespace

void add_call_probes(Probes& probes) {
  add_terminal(probes);
  add_filters(probes);
  add_handles(probes);
  add_administration(probes);
  add_numbers(probes);
  probes.push_back({"address-race", address_race});
  probes.push_back({"dying-callers", dying_callers});
}

}  // namespace aispm::probes
