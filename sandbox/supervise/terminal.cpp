// SPDX-License-Identifier: Apache-2.0
#include "sandbox/supervise/terminal.hpp"

#include <fcntl.h>
#include <unistd.h>

#include <algorithm>
#include <csignal>
#include <iterator>

namespace aispm::sandbox {
namespace {

unsigned device_of(int terminal) {
  unsigned device = 0;
  return ::ioctl(terminal, TIOCGDEV, &device) == 0 ? device : 0;
}

// The terminal again, for reading without blocking. After su it belongs to another user: then as
// our session's terminal, and where it is not that either, the caller's own descriptor, which
// blocks only when another process reads the keys that were announced to us.
UniqueFd open_keys(int terminal) {
  UniqueFd keys = reopen(terminal, O_RDONLY | O_NONBLOCK);
  if (!keys) keys.reset(::open("/dev/tty", O_RDONLY | O_NONBLOCK | O_NOCTTY | O_CLOEXEC));
  if (!keys || device_of(keys.get()) != device_of(terminal))
    keys.reset(::fcntl(terminal, F_DUPFD_CLOEXEC, 3));
  return keys;
}

bool has_same_modes(const termios& one, const termios& other) {
  return one.c_iflag == other.c_iflag && one.c_oflag == other.c_oflag &&
         one.c_lflag == other.c_lflag &&
         std::equal(std::begin(one.c_cc), std::end(one.c_cc), std::begin(other.c_cc));
}

}  // namespace

Terminal Terminal::examine() {
  Terminal terminal;
  for (int fd = 2; fd >= 0; --fd)
    terminal.is_terminal_[static_cast<std::size_t>(fd)] = ::isatty(fd) != 0;
  if (terminal.is_terminal_[0]) terminal.in_ = terminal.out_ = STDIN_FILENO;
  if (terminal.is_terminal_[2]) terminal.out_ = STDERR_FILENO;
  if (terminal.is_terminal_[1]) terminal.out_ = STDOUT_FILENO;
  if (terminal.is_wanted())
    (void)::tcgetattr(terminal.in_ >= 0 ? terminal.in_ : terminal.out_, &terminal.before_);
  terminal.has_modes_ = terminal.in_ < 0 || terminal.is_front();
  return terminal;
}

Terminal::~Terminal() { restore(); }

void Terminal::describe(AgentStreams& streams) const {
  streams.is_terminal = is_terminal_;
  streams.modes = modes_inside();
  if (is_wanted()) (void)::ioctl(out_, TIOCGWINSZ, &streams.size);
}

termios Terminal::modes_inside() const {
  termios modes = before_;
  if (!is_wanted()) return modes;
  // Nobody types into the one inside then.
  if (in_ < 0) modes.c_lflag &= ~static_cast<tcflag_t>(ECHO);
  // The caller's goes on adding the carriage returns (enter_raw).
  if (in_ < 0 || !is_terminal_[1]) modes.c_oflag &= ~static_cast<tcflag_t>(OPOST);
  return modes;
}

// A job that begins in the background sees the modes in which its shell reads a line. Those of
// programs are there when it comes to the front, and go inside unless the agent has set its own.
void Terminal::take_modes() {
  has_modes_ = true;
  termios now{};
  if (::tcgetattr(main_side_.get(), &now) != 0) return;
  const bool is_untouched = has_same_modes(now, modes_inside());
  if (::tcgetattr(in_, &before_) != 0 || !is_untouched) return;
  const termios wanted = modes_inside();
  (void)::tcsetattr(main_side_.get(), TCSANOW, &wanted);
}

// True also for a terminal that is not our session's: it has no foreground.
bool Terminal::is_front() const {
  const pid_t front = ::tcgetpgrp(in_);
  return front < 0 || front == ::getpgrp();
}

// With standard output elsewhere the terminal is shared with the rest of a pipeline: keys still
// send signals to all of it, and what others write still gets its carriage returns.
void Terminal::enter_raw() {
  termios raw = before_;
  ::cfmakeraw(&raw);
  if (!is_terminal_[1]) {
    raw.c_oflag = before_.c_oflag;
    raw.c_lflag |= before_.c_lflag & static_cast<tcflag_t>(ISIG);
  }
  is_raw_ = ::tcsetattr(in_, TCSADRAIN, &raw) == 0;
}

void Terminal::restore() {
  // From the background this would change what the shell has set.
  if (is_raw_ && is_front()) (void)::tcsetattr(in_, TCSANOW, &before_);
  is_raw_ = false;
}

Result<> Terminal::attach(EventLoop& loop, UniqueFd main_side, Copier::Inspect inspect) {
  main_side_ = UniqueFd(::fcntl(main_side.get(), F_DUPFD_CLOEXEC, 3));
  if (!main_side_) return fail_errno("copy the terminal's descriptor");
  if (in_ >= 0) {
    UniqueFd keys = open_keys(in_);
    if (!keys) return fail_errno("open the terminal");
    input_ = std::make_unique<Copier>(loop, std::move(keys), main_side_.get(), nullptr);
    AISPM_CHECK(input_->start());
    input_->pause(true);
  }
  output_ = std::make_unique<Copier>(loop, std::move(main_side), out_, std::move(inspect));
  AISPM_CHECK(output_->start());
  resume();
  return {};
}

void Terminal::resize() {
  winsize size{};
  if (main_side_ && ::ioctl(out_, TIOCGWINSZ, &size) == 0)
    (void)::ioctl(main_side_.get(), TIOCSWINSZ, &size);
}

bool Terminal::signal_front(int number) {
  return main_side_ && ::ioctl(main_side_.get(), TIOCSIG, number) == 0;
}

void Terminal::hang_up() {
  if (input_) input_->close();
  if (output_) output_->close();
  main_side_.reset();
  in_ = -1;
  is_raw_ = false;
}

void Terminal::resume() {
  if (in_ < 0 || !input_ || input_->is_closed()) return;
  const bool is_ours = is_front();
  if (is_ours) {
    if (!has_modes_) take_modes();
    enter_raw();
    resize();
  }
  input_->pause(!is_ours);
}

void Terminal::suspend() {
  const bool was_whole = is_raw_ && is_terminal_[1];
  restore();
  if (input_) input_->pause(true);
  sigset_t stop;
  ::sigemptyset(&stop);
  ::sigaddset(&stop, SIGTSTP);
  // The keys reached only the terminal inside, so the rest of our job (a script that started us)
  // has still to be told. Not SIGSTOP: where no shell controls the job, nobody would continue it,
  // and the kernel ignores SIGTSTP there.
  (void)::kill(was_whole ? 0 : ::getpid(), SIGTSTP);
  (void)::sigprocmask(SIG_UNBLOCK, &stop, nullptr);
  (void)::sigprocmask(SIG_BLOCK, &stop, nullptr);
  resume();
}

bool Terminal::drain() { return !output_ || output_->drain(); }

}  // namespace aispm::sandbox
