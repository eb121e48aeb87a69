// SPDX-License-Identifier: Apache-2.0
#include "sandbox/child.hpp"

#include <fcntl.h>
#include <sys/prctl.h>
#include <sys/wait.h>
#include <unistd.h>

#include <csignal>
#include <iostream>
#include <utility>

namespace aispm::sandbox {
namespace {

constexpr std::size_t kMaxReportBytes = 4096;  // fits into a pipe, so that nobody waits

// First byte: 'x' with the exit code, 'e' with the error's code and its message.
std::string to_report(const Result<int>& ended) {
  if (ended) return std::string("x") + static_cast<char>(*ended);
  return (std::string("e") + static_cast<char>(ended.error().code) + ended.error().message)
      .substr(0, kMaxReportBytes);
}

Result<int> read_report(int fd) {
  std::string text(kMaxReportBytes, '\0');
  const ssize_t size = ::read(fd, text.data(), text.size());
  if (size < 2)
    return fail(Errc::kUnavailable, "the process that held the sandbox was killed before its end");
  text.resize(static_cast<std::size_t>(size));
  if (text[0] == 'x') return static_cast<unsigned char>(text[1]);
  return fail(static_cast<Errc>(text[1]), text.substr(2));
}

[[noreturn]] void run(const Host& host, const LaunchOptions& options, int report, pid_t parent) {
  ::prctl(PR_SET_PDEATHSIG, SIGKILL);
  if (::getppid() != parent) ::_exit(kExitSandbox);
  const std::string text = to_report(launch(host, options));
  std::cerr.flush();
  std::cout.flush();
  const bool is_told =
      ::write(report, text.data(), text.size()) == static_cast<ssize_t>(text.size());
  ::_exit(is_told ? 0 : kExitSandbox);
}

}  // namespace

Result<ChildLaunch> ChildLaunch::start(const Host& host, const LaunchOptions& options, int input,
                                       int output, int errors) {
  int ends[2];
  if (::pipe2(ends, O_CLOEXEC) != 0) return fail_errno("pipe");
  UniqueFd report(ends[0]);
  const UniqueFd tell(ends[1]);
  const pid_t parent = ::getpid();
  const pid_t child = ::fork();
  if (child < 0) return fail_errno("fork");
  if (child == 0) {
    if (::dup2(input, 0) < 0 || ::dup2(output, 1) < 0 || ::dup2(errors, 2) < 0)
      ::_exit(kExitSandbox);
    run(host, options, tell.get(), parent);
  }
  return ChildLaunch(child, std::move(report));
}

ChildLaunch::ChildLaunch(ChildLaunch&& other) noexcept
    : child_(std::exchange(other.child_, -1)), report_(std::move(other.report_)) {}

ChildLaunch::~ChildLaunch() {
  if (child_ <= 0) return;
  kill();
  (void)ended(true);
}

std::optional<Result<int>> ChildLaunch::ended(bool wait) {
  int status = 0;
  pid_t ended = 0;
  do ended = ::waitpid(child_, &status, wait ? 0 : WNOHANG);
  while (ended < 0 && errno == EINTR);
  if (ended == 0) return std::nullopt;
  child_ = -1;
  if (ended < 0) return Result<int>(fail_errno("wait for the sandbox"));
  return read_report(report_.get());
}

void ChildLaunch::kill() { ::kill(child_, SIGKILL); }

}  // namespace aispm::sandbox
