// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <fcntl.h>
#include <signal.h>
#include <spawn.h>
#include <sys/wait.h>

#include <chrono>
#include <filesystem>
#include <fstream>
#include <sstream>
#include <stdexcept>
#include <string>
#include <thread>
#include <vector>

extern char** environ;

namespace aispm::collector::test {

// The real aispm-collector in a folder of its own, on ports the kernel chose.
class Daemon {
 public:
  explicit Daemon(const std::string& extra_config = "") {
    std::string pattern = (std::filesystem::temp_directory_path() / "aispm-system-XXXXXX").string();
    folder_ = mkdtemp(pattern.data());
    std::ofstream(config()) << "state_folder: " << folder_
                            << "/state\ngrpc:\n  address: 127.0.0.1:0\nhttp:\n  port: 0\n"
                            << extra_config;
  }
  Daemon(const Daemon&) = delete;
  Daemon& operator=(const Daemon&) = delete;
  ~Daemon() {
    stop(SIGKILL);
    std::filesystem::remove_all(folder_);
  }

  std::string config() const { return folder_ + "/collector.yaml"; }
  std::string store() const { return folder_ + "/state/store.db"; }
  std::string log() const { return read(folder_ + "/log"); }

  // Runs a command of the program to its end: exit status and stdout (stderr goes to the log).
  std::pair<int, std::string> run(std::vector<std::string> arguments) {
    const std::string out = folder_ + "/out";
    const pid_t pid = spawn(std::move(arguments), out);
    int status = 0;
    waitpid(pid, &status, 0);
    return {WIFEXITED(status) ? WEXITSTATUS(status) : -1, read(out)};
  }

  void start() {
    std::filesystem::remove(folder_ + "/log");
    pid_ = spawn({"--config", config()}, "/dev/null");
    for (int i = 0; i < 3000; ++i) {
      const std::string text = log();
      if (text.find("collector.ready") != std::string::npos && text.back() == '\n') {
        grpc_port = number_after(text, "grpc_port=");
        http_port = number_after(text, "http_port=");
        return;
      }
      int status = 0;
      if (waitpid(pid_, &status, WNOHANG) == pid_) break;
      std::this_thread::sleep_for(std::chrono::milliseconds(10));
    }
    throw std::runtime_error("the collector did not start: " + log());
  }

  // Exit status, or minus the signal that ended it.
  int stop(int signal) {
    if (pid_ <= 0) return 0;
    ::kill(pid_, signal);
    int status = 0;
    waitpid(pid_, &status, 0);
    pid_ = -1;
    return WIFEXITED(status) ? WEXITSTATUS(status) : -WTERMSIG(status);
  }

  int grpc_port = 0;
  int http_port = 0;

 private:
  static std::string read(const std::string& path) {
    std::ifstream file(path);
    std::stringstream text;
    text << file.rdbuf();
    return text.str();
  }
  static int number_after(const std::string& text, const std::string& key) {
    return std::stoi(text.substr(text.find(key) + key.size()));
  }
  pid_t spawn(std::vector<std::string> arguments, const std::string& out) {
    arguments.insert(arguments.begin(), AISPM_BIN_DIR "/aispm-collector");
    std::vector<char*> argv;
    for (auto& argument : arguments) argv.push_back(argument.data());
    argv.push_back(nullptr);
    const std::string log_file = folder_ + "/log";
    posix_spawn_file_actions_t actions;
    posix_spawn_file_actions_init(&actions);
    posix_spawn_file_actions_addopen(&actions, 1, out.c_str(), O_WRONLY | O_CREAT | O_TRUNC, 0600);
    posix_spawn_file_actions_addopen(&actions, 2, log_file.c_str(), O_WRONLY | O_CREAT | O_APPEND,
                                     0600);
    pid_t pid = -1;
    const int failed = posix_spawn(&pid, argv[0], &actions, nullptr, argv.data(), environ);
    posix_spawn_file_actions_destroy(&actions);
    if (failed != 0) throw std::runtime_error("cannot start " + arguments[0]);
    return pid;
  }

  std::string folder_;
  pid_t pid_ = -1;
};

}  // namespace aispm::collector::test
