// SPDX-License-Identifier: Apache-2.0
#include "sensor/pool_process.hpp"

#include <signal.h>
#include <spawn.h>
#include <sys/wait.h>
#include <unistd.h>

#include <algorithm>
#include <chrono>
#include <cstring>
#include <filesystem>
#include <memory>
#include <vector>

#include "sdk/core/common/log.hpp"

namespace aispm::sensor {
namespace {

constexpr std::chrono::seconds kFirstPause{1};
constexpr std::chrono::seconds kLongestPause{60};
constexpr std::chrono::seconds kLongLife{60};  // after that a failure is a new one

std::string beside_this_program() {
  std::error_code error;
  const auto self = std::filesystem::read_symlink("/proc/self/exe", error);
  return error ? "aispm-pool" : (self.parent_path() / "aispm-pool").string();
}

}  // namespace

Result<std::unique_ptr<PoolProcess>> PoolProcess::start(const PoolConfig& config) {
  const std::string program = config.program.empty() ? beside_this_program() : config.program;
  if (::access(program.c_str(), X_OK) != 0)
    return fail(Errc::kNotFound,
                "pool.program: " + program + " cannot be executed: " + std::strerror(errno));
  std::unique_ptr<PoolProcess> process(new PoolProcess(
      {program, "--die-with-parent", "--socket", config.socket, "--entries",
       std::to_string(config.entries), "--max-entries", std::to_string(config.max_entries)}));
  process->thread_ = std::thread([self = process.get()] { self->keep_running(); });
  return process;
}

PoolProcess::~PoolProcess() {
  {
    const std::lock_guard lock(mutex_);
    is_ending_ = true;
    if (child_ > 0) ::kill(child_, SIGTERM);
  }
  changed_.notify_all();
  thread_.join();
}

// This thread is the child's parent for the kernel: it lives as long as the child may.
void PoolProcess::keep_running() {
  auto pause = kFirstPause;
  for (;;) {
    const auto begun = std::chrono::steady_clock::now();
    if (!run_once()) return;
    if (std::chrono::steady_clock::now() - begun > kLongLife) pause = kFirstPause;
    std::unique_lock lock(mutex_);
    if (changed_.wait_for(lock, pause, [this] { return is_ending_; })) return;
    pause = std::min(pause * 2, kLongestPause);
  }
}

// True: it ended by itself.
bool PoolProcess::run_once() {
  std::vector<char*> argv;
  for (const auto& word : words_) argv.push_back(const_cast<char*>(word.c_str()));
  argv.push_back(nullptr);
  pid_t child = -1;
  {
    const std::lock_guard lock(mutex_);
    if (is_ending_) return false;
    if (const int error = ::posix_spawn(&child, argv[0], nullptr, nullptr, argv.data(), environ);
        error != 0) {
      log::warn("pool.not_started", {{"program", words_[0]}, {"reason", std::strerror(error)}});
      return true;
    }
    child_ = child;
  }
  log::info("pool.started", {{"pid", child}});
  int status = 0;
  // Not reaped yet, so that nobody else can have its number when it is signalled.
  siginfo_t info{};
  while (::waitid(P_PID, static_cast<id_t>(child), &info, WEXITED | WNOWAIT) < 0 &&
         errno == EINTR) {
  }
  const std::lock_guard lock(mutex_);
  child_ = -1;
  while (::waitpid(child, &status, 0) < 0 && errno == EINTR) {
  }
  if (is_ending_) return false;
  log::warn("pool.ended", {{"status", status}});
  return true;
}

}  // namespace aispm::sensor
