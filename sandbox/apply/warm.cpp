// SPDX-License-Identifier: Apache-2.0
// The processes of a sandbox that waits in the pool (ADR 0037).
#include <fcntl.h>
#include <sched.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <cstring>

#include "sandbox/apply/start.hpp"
#include "sandbox/enter/enter.hpp"

namespace aispm::sandbox {
namespace {

constexpr int kSetup = 3;  // where sandbox/enter and runner.py expect them
constexpr int kLibrary = 4;
constexpr int kTreesTimeoutMs = 5000;

Result<std::string> read_memory_file(int file, std::size_t limit_bytes) {
  struct stat status {};
  if (::fstat(file, &status) != 0) return fail_errno("stat what was handed over");
  const auto size = static_cast<std::size_t>(status.st_size);
  if (size > limit_bytes) return fail(Errc::kTooLarge, "what was handed over is too large");
  std::string bytes(size, '\0');
  if (::pread(file, bytes.data(), size, 0) != static_cast<ssize_t>(size))
    return fail_errno("read what was handed over");
  return bytes;
}

// The trees of the binds among `mounts`: handed over by root, who alone may reach them, or opened
// here as the user.
Result<std::vector<UniqueFd>> sources_of(const Plan& late, Received& first, int port) {
  if (first.message.value == 0) {
    std::vector<std::string> notes;
    return open_sources(late, 0, notes);
  }
  std::vector<UniqueFd> trees;
  for (std::size_t i = 1; i < first.fds.size(); ++i) trees.push_back(std::move(first.fds[i]));
  while (trees.size() < first.message.value) {
    AISPM_TRY(Received more, receive_message(port, kTreesTimeoutMs));
    if (more.message.kind != ControlKind::kTrees || more.fds.empty())
      return fail(Errc::kInternal, "the porter was told something else");
    for (auto& tree : more.fds) trees.push_back(std::move(tree));
  }
  std::vector<UniqueFd> sources(late.mounts.size());
  std::size_t next = 0;
  for (std::size_t i = 0; i < late.mounts.size(); ++i) {
    if (late.mounts[i].kind > Mount::Kind::kDevice) continue;
    if (next == trees.size()) return fail(Errc::kInternal, "a mount's tree is missing");
    sources[i] = std::move(trees[next++]);
  }
  return sources;
}

Result<> carry(const Plan& base, const WarmParts& warm) {
  if (::setns(warm.host_space.get(), CLONE_NEWNS) != 0)
    return fail_errno("enter the host's mounts");
  auto received = receive_message(warm.port.get(), -1);
  if (!received) ::_exit(0);  // nobody took the sandbox
  if (received->message.kind != ControlKind::kPlace || received->fds.empty())
    return fail(Errc::kInternal, "the porter was told something else");
  AISPM_TRY(const std::string bytes, read_memory_file(received->fds[0].get(), kMaxLateMountBytes));
  Plan late;
  AISPM_TRY(late.mounts, decode_mounts(bytes));
  AISPM_TRY(auto sources, sources_of(late, *received, warm.port.get()));
  if (::setns(warm.inner_space.get(), CLONE_NEWNS) != 0)
    return fail_errno("enter the sandbox's mounts");
  AISPM_CHECK(place_late(late.mounts, std::move(sources)));
  AISPM_CHECK(make_root_read_only());
  Plan whole;
  whole.landlock_min_abi = base.landlock_min_abi;
  whole.mounts = base.mounts;
  whole.mounts.insert(whole.mounts.end(), late.mounts.begin(), late.mounts.end());
  AISPM_TRY(const FileRules rules, make_file_rules(whole));
  ControlMessage done;
  done.kind = ControlKind::kRules;
  done.value = static_cast<std::uint64_t>(rules.abi);
  done.extra = rules.flags;
  return send_message(warm.port.get(), done, {rules.ruleset.get()});
}

[[noreturn]] void fail_on(int socket, const Error& error, int exit_code) {
  (void)send_message(socket, failed_message(error, exit_code)).has_value();
  ::_exit(exit_code);
}

// Executes what the memory file `payload` says.
[[noreturn]] void execute(int payload) {
  struct stat status {};
  EnterHeader header{};
  const bool is_whole =
      ::fstat(payload, &status) == 0 &&
      ::pread(payload, &header, sizeof(header), 0) == static_cast<ssize_t>(sizeof(header));
  if (!is_whole) fail_on(kSetup, Error{Errc::kInternal, "what to run is cut", 0}, kExitSandbox);
  const auto size = static_cast<std::size_t>(status.st_size);
  std::string texts(size - header.text_offset, '\0');
  if (::pread(payload, texts.data(), texts.size(), header.text_offset) !=
      static_cast<ssize_t>(texts.size()))
    fail_on(kSetup, Error{Errc::kInternal, "what to run is cut", 0}, kExitSandbox);
  std::vector<char*> words;
  for (std::size_t at = 0; at < texts.size(); at += std::strlen(texts.data() + at) + 1)
    words.push_back(texts.data() + at);
  if (words.size() != 3U + header.arguments + header.variables)
    fail_on(kSetup, Error{Errc::kInternal, "what to run is cut", 0}, kExitSandbox);
  const char* executable = words[1];
  std::vector<char*> argv(words.begin() + 3, words.begin() + 3 + header.arguments);
  std::vector<char*> environment(words.begin() + 3 + header.arguments, words.end());
  argv.push_back(nullptr);
  environment.push_back(nullptr);
  (void)::close(payload);
  ::execve(executable, argv.data(), environment.data());
  const int error = errno;
  fail_on(kSetup,
          Error{Errc::kDenied,
                std::string(executable) +
                    ": cannot be executed in the sandbox: " + std::strerror(error),
                error},
          error == ENOENT ? kExitNotFound : kExitNotExecutable);
}

}  // namespace

Result<> split_spaces(WarmParts& warm) {
  warm.host_space.reset(::open("/proc/self/ns/mnt", O_RDONLY | O_CLOEXEC));
  if (!warm.host_space || ::unshare(CLONE_NEWNS) != 0)
    return fail_errno("a mount namespace of the sandbox's own");
  warm.inner_space.reset(::open("/proc/self/ns/mnt", O_RDONLY | O_CLOEXEC));
  if (!warm.inner_space) return fail_errno("open /proc/self/ns/mnt");
  return {};
}

void run_porter(const Plan& base, WarmParts warm) {
  warm.library.reset();
  if (auto carried = carry(base, warm); !carried)
    fail_on(warm.port.get(), carried.error(), kExitSandbox);
  ::_exit(0);
}

void run_waiting(const Plan& base, WarmParts warm, UniqueFd setup, const sigset_t& signal_mask) {
  warm.port.reset();
  warm.host_space.reset();
  warm.inner_space.reset();
  // Not before process 1 is done: it makes this process a group, which exec forbids.
  auto told = receive_message(setup.get(), -1);
  if (!told || told->message.kind != ControlKind::kWarmUp) ::_exit(0);
  // Both out of the way of their places first.
  const UniqueFd spare_setup(::fcntl(setup.get(), F_DUPFD_CLOEXEC, 16));
  const UniqueFd spare_library(warm.library ? ::fcntl(warm.library.get(), F_DUPFD_CLOEXEC, 16)
                                            : -1);
  (void)setup.release();
  (void)warm.library.release();
  const bool is_interpreter = !warm.runner.empty();
  if (::dup3(spare_setup.get(), kSetup, is_interpreter ? 0 : O_CLOEXEC) < 0 ||
      (is_interpreter && ::dup3(spare_library.get(), kLibrary, 0) < 0))
    fail_on(spare_setup.get(), Error{Errc::kInternal, "dup3", errno}, kExitSandbox);
  ::sigprocmask(SIG_SETMASK, &signal_mask, nullptr);
  if (!is_interpreter) {
    if (aispm_enter_ready(kSetup) != 0) ::_exit(kExitSandbox);
    execute(aispm_enter(kSetup));
  }
  std::vector<std::string> words = {base.executable, "-c", warm.runner};
  std::vector<char*> argv;
  for (auto& word : words) argv.push_back(word.data());
  argv.push_back(nullptr);
  std::vector<char*> environment;
  for (const auto& pair : base.environment) environment.push_back(const_cast<char*>(pair.c_str()));
  environment.push_back(nullptr);
  ::execve(base.executable.c_str(), argv.data(), environment.data());
  fail_on(kSetup, Error{Errc::kDenied, base.executable + ": cannot be executed", errno},
          kExitNotExecutable);
}

}  // namespace aispm::sandbox
