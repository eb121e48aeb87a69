// SPDX-License-Identifier: Apache-2.0
#include <poll.h>
#include <sys/prctl.h>
#include <sys/signalfd.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <unistd.h>

#include <array>
#include <span>

#include "sandbox/apply/scratch.hpp"
#include "sandbox/apply/steps.hpp"

namespace aispm::sandbox {
namespace {

constexpr int kFailed = 125;

void report(int control, ControlKind kind, std::uint64_t value) {
  ControlMessage message;
  message.kind = kind;
  message.value = value;
  // When the supervisor is gone there is nobody to tell; the exit below ends everything.
  if (auto sent = send_message(control, message); !sent) ::_exit(kFailed);
}

// What was found full since the last look, at once: the supervisor may have to end us.
void tell_full(int control, ScratchWatch& scratch, bool is_pause_over) {
  if (const std::uint32_t full = scratch.look(is_pause_over); full != 0)
    report(control, ControlKind::kFull, full);
}

// Ends every other process of this pid namespace, so that the report of the agent's end means that
// nothing runs any more. Those in a call that cannot be killed are waited for, as the kernel would.
void end_all() {
  // Orphans become our children at once, so without a child there is nobody left.
  if (::waitpid(-1, nullptr, WNOHANG) < 0 && errno == ECHILD) return;
  (void)::kill(-1, SIGKILL);  // walks over the whole host's processes
  while (::waitpid(-1, nullptr, 0) > 0 || errno == EINTR) {
  }
}

// True when the agent itself has ended, and all others with it.
bool reap(int control, int agent_pid, ScratchWatch& scratch) {
  int status = 0;
  for (;;) {
    const int pid = ::waitpid(-1, &status, WNOHANG | WUNTRACED);
    if (pid <= 0) return false;
    if (pid != agent_pid) continue;
    if (WIFSTOPPED(status)) {
      report(control, ControlKind::kStopped, static_cast<std::uint64_t>(WSTOPSIG(status)));
      continue;
    }
    end_all();
    tell_full(control, scratch, false);
    report(control, ControlKind::kExited,
           static_cast<std::uint64_t>(static_cast<unsigned>(status)));
    return true;
  }
}

// Sockets for the supervisor, which stands outside of this network namespace. No memory is asked
// for.
void hand_out_sockets(int control, int family) {
  std::array<int, kMaxMessageFds> fds{};
  std::size_t count = 0;
  while (count < fds.size()) {
    const int fd = ::socket(family, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
    if (fd < 0) break;
    fds[count++] = fd;
  }
  ControlMessage message;
  message.kind = ControlKind::kFreshSockets;
  if (auto sent = send_message(control, message, std::span<const int>(fds.data(), count)); !sent)
    ::_exit(kFailed);
  for (std::size_t i = 0; i < count; ++i) (void)::close(fds[i]);
}

void forward(int control, int agent_pid, ScratchWatch& scratch) {
  auto received = receive_message(control, 0);
  if (!received) ::_exit(kFailed);  // the supervisor is gone
  if (received->message.kind == ControlKind::kMoreSockets)
    return hand_out_sockets(control, static_cast<int>(received->message.value));
  if (received->message.kind == ControlKind::kBegin) scratch.begin();
  if (received->message.kind != ControlKind::kSignal) return;
  const int number = static_cast<int>(received->message.value);
  if (received->message.extra == kToAll) {
    // Twice: what was being made while the first went round is there by now, and its maker stands.
    (void)::kill(-1, number);
    (void)::kill(-1, number);
    return;
  }
  // A terminal's signal goes to the process group, as a terminal does it; any other to the process
  // alone. The agent may have ended meanwhile: then there is nothing to signal.
  (void)::kill(received->message.extra != 0 ? -agent_pid : agent_pid, number);
}

}  // namespace

// `sockets` are only held: whoever closes the packet socket last waits for an RCU grace period (5
// to 20 ms), and that shall be this process, for which nobody waits. `terminal` too, so that it
// stays one while no process of the agent has it open.
void run_init(const Plan& plan, UniqueFd setup, UniqueFd control,
              [[maybe_unused]] std::vector<UniqueFd> sockets, [[maybe_unused]] UniqueFd terminal,
              int agent_pid, bool is_waiting) {
  sigset_t child;
  ::sigemptyset(&child);
  ::sigaddset(&child, SIGCHLD);
  UniqueFd signals(::signalfd(-1, &child, SFD_CLOEXEC | SFD_NONBLOCK));
  // Whoever reads the agent's output sees its end when the agent's processes end, not when we do.
  (void)::close_range(0, 2, 0);
  (void)::prctl(PR_SET_NAME, "aispm-init");
  if (!signals || ::prctl(PR_SET_DUMPABLE, 0) != 0) ::_exit(kFailed);
  auto scratch = ScratchWatch::open(plan);
  const auto installed = scratch ? install_init_filter() : Result<>(fail(scratch.error()));
  if (!installed) {
    // Our end is that of the agent's process too, which may not have said it yet.
    (void)send_message(setup.get(), failed_message(installed.error(), kFailed)).has_value();
    ::_exit(kFailed);
  }
  setup.reset();
  if (!is_waiting) scratch->begin();
  for (;;) {
    if (reap(control.get(), agent_pid, *scratch)) {
      pollfd gone{control.get(), 0, 0};
      while (::poll(&gone, 1, -1) < 0 && errno == EINTR) {
      }
      ::_exit(0);  // after the supervisor has closed its end of the monitor and of `control`
    }
    pollfd events[2] = {{control.get(), POLLIN, 0}, {signals.get(), POLLIN, 0}};
    const int ready = ::poll(events, 2, scratch->pause_ms());
    if (ready < 0 && errno != EINTR) ::_exit(kFailed);
    tell_full(control.get(), *scratch, ready == 0);
    if (events[1].revents != 0) {
      signalfd_siginfo info{};
      (void)!::read(signals.get(), &info, sizeof(info));
    }
    if (events[0].revents != 0) forward(control.get(), agent_pid, *scratch);
  }
}

}  // namespace aispm::sandbox
