// SPDX-License-Identifier: Apache-2.0
#include <fcntl.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/signalfd.h>
#include <unistd.h>

#include <CLI/CLI.hpp>
#include <exception>
#include <iostream>

#include "pool_runner.hpp"
#include "sandbox/pool/keeper.hpp"

// The library for interpreters, as bytes of this program.
asm(".section .rodata\n"
    ".global aispm_enter_library\n"
    "aispm_enter_library:\n"
    ".incbin \"" AISPM_ENTER_LIBRARY
    "\"\n"
    ".global aispm_enter_library_end\n"
    "aispm_enter_library_end:\n"
    ".previous\n");
extern "C" const char aispm_enter_library[];
extern "C" const char aispm_enter_library_end[];

namespace aispm::sandbox {
namespace {

constexpr unsigned kMfdExec = 0x10;  // Linux 6.3: needed where vm.memfd_noexec is 1

Result<UniqueFd> library_file() {
  UniqueFd file(::memfd_create("aispm-enter", MFD_CLOEXEC | MFD_ALLOW_SEALING | kMfdExec));
  if (!file) file.reset(::memfd_create("aispm-enter", MFD_CLOEXEC | MFD_ALLOW_SEALING));
  if (!file) return fail_errno("memfd_create");
  const auto size = static_cast<std::size_t>(aispm_enter_library_end - aispm_enter_library);
  if (::write(file.get(), aispm_enter_library, size) != static_cast<ssize_t>(size))
    return fail_errno("write the library");
  if (::fcntl(file.get(), F_ADD_SEALS, F_SEAL_WRITE | F_SEAL_SHRINK | F_SEAL_GROW | F_SEAL_SEAL) !=
      0)
    return fail_errno("seal the library");
  return file;
}

Result<> keep(PoolSettings settings) {
  sigset_t set;
  sigset_t before;
  ::sigemptyset(&set);
  for (const int number : {SIGTERM, SIGINT, SIGHUP}) ::sigaddset(&set, number);
  if (::sigprocmask(SIG_BLOCK, &set, &before) != 0) return fail_errno("sigprocmask");
  ::sigemptyset(&before);
  UniqueFd signals(::signalfd(-1, &set, SFD_CLOEXEC | SFD_NONBLOCK));
  if (!signals) return fail_errno("signalfd");
  AISPM_TRY(UniqueFd library, library_file());
  AISPM_TRY(const auto keeper, Keeper::open(std::move(settings), std::move(library), kPoolRunner,
                                            std::move(signals), before));
  return keeper->run();
}

int run(int argc, char** argv) {
  CLI::App app(
      "Keeps finished sandboxes with a waiting interpreter for `aispm-run --pool`. As root for "
      "every user of this host, else for the user it runs as.",
      "aispm-pool");
  PoolSettings settings;
  settings.socket = "/var/lib/aispm/run/pool.sock";
  bool dies_with_parent = false;
  unsigned idle = 600;
  unsigned age = 300;
  unsigned pause = 20;
  app.add_option("--socket", settings.socket, "Unix socket to listen on")->capture_default_str();
  app.add_option("--entries", settings.entries,
                 "Sandboxes that wait for each user, profile and interpreter")
      ->check(CLI::Range(1, 64))
      ->capture_default_str();
  app.add_option("--max-entries", settings.max_entries, "Sandboxes that wait in all")
      ->check(CLI::Range(1, 1024))
      ->capture_default_str();
  app.add_option("--idle", idle, "Seconds after which a kind that nobody asks for is given up")
      ->check(CLI::Range(1, 86'400))
      ->capture_default_str();
  app.add_option("--max-age", age, "Seconds after which a sandbox that waits is replaced")
      ->check(CLI::Range(1, 86'400))
      ->capture_default_str();
  app.add_option("--pause", pause, "Milliseconds between two starts")
      ->check(CLI::Range(0, 10'000))
      ->capture_default_str();
  app.add_flag("--die-with-parent", dies_with_parent, "End when the process that started it ends");
  app.set_version_flag("--version", std::string("aispm-pool ") + AISPM_VERSION);
  app.footer("SIGHUP builds all that wait anew, SIGTERM ends it; agents that run go on.");
  try {
    app.parse(argc, argv);
  } catch (const CLI::ParseError& error) {
    return app.exit(error) == 0 ? 0 : 2;
  }
  settings.idle = std::chrono::seconds(idle);
  settings.max_age = std::chrono::seconds(age);
  settings.pause = std::chrono::milliseconds(pause);
  const pid_t parent = ::getppid();
  if (dies_with_parent && (::prctl(PR_SET_PDEATHSIG, SIGTERM) != 0 || ::getppid() != parent))
    return 1;
  if (auto kept = keep(std::move(settings)); !kept) {
    std::cerr << "aispm-pool: " << kept.error().message << "\n";
    return 1;
  }
  return 0;
}

}  // namespace
}  // namespace aispm::sandbox

int main(int argc, char** argv) {
  // Waiting sandboxes inherit 0, 1 and 2 until they are taken.
  const int nothing = ::open("/dev/null", O_RDWR);
  if (nothing < 0 || ::dup2(nothing, 0) < 0 || ::dup2(nothing, 1) < 0 ||
      (::fcntl(2, F_GETFD) < 0 && ::dup2(nothing, 2) < 0) || ::close_range(3, ~0U, 0) != 0)
    return 1;
  try {
    return aispm::sandbox::run(argc, argv);
  } catch (const std::exception& bug) {
    std::cerr << "aispm-pool: internal error: " << bug.what() << "\n";
    return 1;
  }
}
