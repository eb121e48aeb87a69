// SPDX-License-Identifier: Apache-2.0
#include "sandbox/check/check.hpp"

#include <fcntl.h>
#include <poll.h>
#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <iostream>

#include "sandbox/child.hpp"
#include "sandbox/plan/plan.hpp"
#include "sandbox/plan/program.hpp"
#include "sdk/core/common/file.hpp"

namespace aispm::sandbox {
namespace {

struct Pipe {
  UniqueFd out;  // of it
  UniqueFd in;
};

Result<Pipe> make_pipe() {
  int ends[2];
  if (::pipe2(ends, O_CLOEXEC) != 0) return fail_errno("pipe");
  return Pipe{UniqueFd(ends[0]), UniqueFd(ends[1])};
}

// Until both have ended: the steps' channel as text, cut past its limit, and standard error
// through.
Result<std::string> drain(int channel, int errors) {
  std::string text;
  std::array<pollfd, 2> waits = {pollfd{channel, POLLIN, 0}, pollfd{errors, POLLIN, 0}};
  while (waits[0].fd >= 0 || waits[1].fd >= 0) {
    if (::poll(waits.data(), waits.size(), -1) < 0) {
      if (errno == EINTR) continue;
      return fail_errno("poll");
    }
    for (auto& wait : waits) {
      if (wait.fd < 0 || wait.revents == 0) continue;
      char buffer[16384];
      const ssize_t size = ::read(wait.fd, buffer, sizeof(buffer));
      if (size < 0 && errno == EINTR) continue;
      if (size < 0) return fail_errno("read what the check says");
      const auto count = static_cast<std::size_t>(size);
      if (size == 0)
        wait.fd = -1;
      else if (wait.fd == errors)
        std::cerr.write(buffer, size);
      else
        text.append(buffer, std::min(count, kMaxCheckOutputBytes + 1 - text.size()));
    }
  }
  return text;
}

}  // namespace

Result<Verdict> check_file(const std::string& path) {
  struct stat status {};
  if (::stat(path.c_str(), &status) != 0) return fail(Errc::kNotFound, path + ": no such file");
  if (!S_ISREG(status.st_mode)) return fail(Errc::kInvalid, path + ": is no plain file");
  const auto text = read_file(path, kMaxAgentBytes);
  if (text) return check_source(*text);
  if (text.error().code == Errc::kTooLarge) return too_large();
  return fail(text.error());
}

Result<Verdict> check_in_sandbox(const Host& host, LaunchOptions launch, CheckOptions options,
                                 Verdict source) {
  Request& request = launch.request;
  AISPM_TRY(const Program program, find_program(host, request));
  const auto interpreter = program.executable.substr(program.executable.rfind('/') + 1);
  if (!interpreter.starts_with("python"))
    return fail(Errc::kInvalid, request.command[0] + ": only Python agents can be checked, and " +
                                    interpreter + " would run this one");
  request.before_script = {"-c", check_steps(options.needs_main)};
  request.gateway_socket.clear();
  auto& wall_time = request.profile.limits.wall_time;
  if (wall_time.count() == 0 || wall_time > options.limit) wall_time = options.limit;
  options.limit = wall_time;

  AISPM_TRY(Pipe channel, make_pipe());
  AISPM_TRY(Pipe errors, make_pipe());
  const UniqueFd nothing(::open("/dev/null", O_RDONLY | O_CLOEXEC));
  if (!nothing) return fail_errno("open /dev/null");
  AISPM_TRY(ChildLaunch child,
            ChildLaunch::start(host, launch, nothing.get(), channel.in.get(), errors.in.get()));
  channel.in.reset();
  errors.in.reset();
  AISPM_TRY(const std::string output, drain(channel.out.get(), errors.out.get()));
  AISPM_TRY(const int exit_code, *child.ended(true));
  return judge(std::move(source), output, exit_code, options);
}

}  // namespace aispm::sandbox
