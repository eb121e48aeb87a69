// SPDX-License-Identifier: Apache-2.0
#include <fcntl.h>
#include <sys/ioctl.h>
#include <termios.h>
#include <unistd.h>

#include "sandbox/apply/steps.hpp"

namespace aispm::sandbox {

Result<InnerTerminal> make_terminal(const AgentStreams& streams) {
  InnerTerminal terminal;
  terminal.main_side.reset(::open("/dev/pts/ptmx", O_RDWR | O_NOCTTY | O_CLOEXEC | O_NONBLOCK));
  if (!terminal.main_side) return fail_errno("open /dev/pts/ptmx");
  const int unlock = 0;
  if (::ioctl(terminal.main_side.get(), TIOCSPTLCK, &unlock) != 0)
    return fail_errno("unlock the terminal");
  terminal.agent_side.reset(
      ::ioctl(terminal.main_side.get(), TIOCGPTPEER, O_RDWR | O_NOCTTY | O_CLOEXEC));
  if (!terminal.agent_side) return fail_errno("open the terminal's other side");
  if (::tcsetattr(terminal.agent_side.get(), TCSANOW, &streams.modes) != 0)
    return fail_errno("set the terminal's modes");
  if (::ioctl(terminal.agent_side.get(), TIOCSWINSZ, &streams.size) != 0)
    return fail_errno("set the terminal's size");
  if (::ioctl(terminal.agent_side.get(), TIOCSCTTY, 0) != 0) return fail_errno("take the terminal");
  return terminal;
}

Result<> bring_to_front(int agent_pid, int terminal) {
  if (::setpgid(agent_pid, agent_pid) != 0) return fail_errno("setpgid");
  if (terminal >= 0 && ::tcsetpgrp(terminal, agent_pid) != 0) return fail_errno("tcsetpgrp");
  return {};
}

Result<> take_streams(const AgentStreams& streams, int terminal) {
  const std::array<int, 3> pipes = {-1, streams.output.get(), streams.errors.get()};
  for (int fd = 0; fd < 3; ++fd) {
    const auto i = static_cast<std::size_t>(fd);
    const int from = streams.is_terminal[i] ? terminal : pipes[i];
    if (from >= 0 && ::dup2(from, fd) < 0) return fail_errno("dup2");
  }
  return {};
}

}  // namespace aispm::sandbox
