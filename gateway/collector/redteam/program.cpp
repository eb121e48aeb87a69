// SPDX-License-Identifier: Apache-2.0
#include "gateway/collector/redteam/program.hpp"

#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <spawn.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <cerrno>
#include <filesystem>

#include "sdk/core/common/unique_fd.hpp"

namespace aispm::collector::redteam {
namespace {

constexpr const char* kPython = "/usr/bin/python3";

Result<std::filesystem::path> place_of(const std::string& folder) {
  std::error_code error;
  std::filesystem::path place = folder;
  if (folder.empty()) {
    const auto self = std::filesystem::read_symlink("/proc/self/exe", error);
    if (error) return fail(Errc::kUnavailable, "/proc/self/exe: " + error.message());
    place = (self.parent_path() / "../lib/aispm/redteam").lexically_normal();
  }
  if (std::filesystem::exists(place / "__main__.py", error)) return place;
  return fail(Errc::kNotFound, place.string() + ": `aispm redteam` is not installed");
}

// posix_spawn's two sets of wishes, freed in any case. Remembers the first that could not be noted:
// a program without them must not start.
class Wishes {
 public:
  Wishes() {
    note(::posix_spawn_file_actions_init(&files));
    note(::posix_spawnattr_init(&attributes));
  }
  ~Wishes() {
    ::posix_spawn_file_actions_destroy(&files);
    ::posix_spawnattr_destroy(&attributes);
  }
  Wishes(const Wishes&) = delete;
  Wishes& operator=(const Wishes&) = delete;
  void note(int error) {
    if (error_ == 0) error_ = error;
  }
  int error() const { return error_; }

  posix_spawn_file_actions_t files{};
  posix_spawnattr_t attributes{};

 private:
  int error_ = 0;
};

// Input, output and errors of the program, and nothing else of ours open.
void redirect(Wishes& wishes, const std::string& output_file, const std::string& error_file) {
  constexpr int kWrite = O_WRONLY | O_CREAT | O_TRUNC;
  auto* const files = &wishes.files;
  wishes.note(::posix_spawn_file_actions_addopen(files, 0, "/dev/null", O_RDONLY, 0));
  wishes.note(::posix_spawn_file_actions_addopen(files, 1, output_file.c_str(), kWrite, 0600));
  wishes.note(::posix_spawn_file_actions_addopen(files, 2, error_file.c_str(), kWrite, 0600));
  // gRPC's listening sockets are inheritable: a program that outlives us would keep the port.
  wishes.note(::posix_spawn_file_actions_addclosefrom_np(files, 3));
}

// A group of its own, with no signal blocked or ignored.
void set_free(Wishes& wishes) {
  sigset_t none;
  sigemptyset(&none);
  sigset_t usual;
  sigfillset(&usual);
  auto* const attributes = &wishes.attributes;
  wishes.note(::posix_spawnattr_setsigmask(attributes, &none));
  wishes.note(::posix_spawnattr_setsigdefault(attributes, &usual));
  wishes.note(::posix_spawnattr_setpgroup(attributes, 0));
  wishes.note(::posix_spawnattr_setflags(
      attributes,
      static_cast<short>(POSIX_SPAWN_SETSIGMASK | POSIX_SPAWN_SETSIGDEF | POSIX_SPAWN_SETPGROUP)));
}

}  // namespace

Result<> Program::check() const {
  AISPM_TRY(const auto place, place_of(folder));
  (void)place;
  if (::access(kPython, X_OK) != 0) return fail_errno(kPython);
  return {};
}

Result<pid_t> Program::start(const std::vector<std::string>& arguments,
                             const std::string& output_file, const std::string& error_file) const {
  AISPM_TRY(const auto place, place_of(folder));
  std::vector<std::string> words{kPython, "-I", "-B", place.string()};
  words.insert(words.end(), arguments.begin(), arguments.end());
  std::vector<char*> argv;
  for (std::string& word : words) argv.push_back(word.data());
  argv.push_back(nullptr);
  std::string path = "PATH=/usr/bin:/bin";
  std::array<char*, 2> environment{path.data(), nullptr};
  Wishes wishes;
  redirect(wishes, output_file, error_file);
  set_free(wishes);
  if (wishes.error() != 0) return fail_errno(std::string("start ") + kPython, wishes.error());
  pid_t pid = 0;
  const int error = ::posix_spawn(&pid, kPython, &wishes.files, &wishes.attributes, argv.data(),
                                  environment.data());
  if (error != 0) return fail_errno(std::string("start ") + kPython, error);
  return pid;
}

Result<int> wait(pid_t pid, std::chrono::milliseconds limit, int stop) {
  const UniqueFd process(static_cast<int>(::syscall(SYS_pidfd_open, pid, 0)));
  const int watch_error = process ? 0 : errno;
  std::array<pollfd, 2> waits{{{.fd = process.get(), .events = POLLIN, .revents = 0},
                               {.fd = stop, .events = POLLIN, .revents = 0}}};
  const auto until = std::chrono::steady_clock::now() + limit;
  int ready = 0;
  while (watch_error == 0) {
    const auto left = std::chrono::duration_cast<std::chrono::milliseconds>(
                          until - std::chrono::steady_clock::now())
                          .count();
    ready = ::poll(waits.data(), waits.size(), static_cast<int>(std::max<std::int64_t>(0, left)));
    if (ready >= 0 || errno != EINTR) break;
  }
  const bool has_ended = ready > 0 && waits[0].revents != 0;
  // Also what it left behind: until it is waited for, its group's number is nobody else's.
  ::kill(-pid, SIGKILL);
  int status = 0;
  pid_t reaped = 0;
  do {
    reaped = ::waitpid(pid, &status, 0);
  } while (reaped < 0 && errno == EINTR);
  if (watch_error != 0) return fail_errno("watch the red team's program", watch_error);
  if (reaped < 0) return fail_errno("wait for the red team's program");
  if (!has_ended)
    return ready > 0 ? fail(Errc::kUnavailable, "the collector was ended")
                     : fail(Errc::kDeadlineExceeded, "it took too long");
  return WIFEXITED(status) ? WEXITSTATUS(status) : 128 + WTERMSIG(status);
}

}  // namespace aispm::collector::redteam
