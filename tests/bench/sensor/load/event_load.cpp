// SPDX-License-Identifier: Apache-2.0
// Makes processes, connections or listeners as fast as it can, or at a rate, from several
// processes:
//   event_load exec|connect|refused|listen SECONDS RATE WORKERS [PROGRAM]
// RATE is of all workers together, 0 = as fast as they can. Prints {"made", "seconds", "workers":
// [pid ...]} and exits 0, or says what failed and exits 1. Touches loopback and its own children
// only.
#include <arpa/inet.h>
#include <netinet/in.h>
#include <sys/mman.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <atomic>
#include <cerrno>
#include <chrono>
#include <cstdint>
#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <functional>
#include <memory>
#include <string>
#include <thread>
#include <vector>

#include "sdk/core/common/unique_fd.hpp"

namespace {

using aispm::UniqueFd;
using Clock = std::chrono::steady_clock;
using Step = std::function<bool()>;  // makes one event; false = it could not

constexpr int kMaxWorkers = 16;
constexpr int kMaxSeconds = 60;
constexpr auto kPause = std::chrono::milliseconds(1);  // of a worker that is ahead of its rate

struct Load {
  std::string kind;
  int seconds = 0;
  double rate = 0;
  int workers = 0;
  std::string program;
};

// Written by the worker of the same index, read by the parent when that has ended.
struct Done {
  std::array<std::uint64_t, kMaxWorkers> made;
  std::array<double, kMaxWorkers> seconds;
};

sockaddr_in loopback(std::uint16_t port) {
  sockaddr_in address{};
  address.sin_family = AF_INET;
  address.sin_port = htons(port);
  address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
  return address;
}

UniqueFd bind_somewhere(sockaddr_in& address) {
  UniqueFd fd(::socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0));
  address = loopback(0);
  socklen_t size = sizeof(address);
  if (::bind(fd.get(), reinterpret_cast<sockaddr*>(&address), size) != 0 ||
      ::getsockname(fd.get(), reinterpret_cast<sockaddr*>(&address), &size) != 0)
    return {};
  return fd;
}

bool run_program(const char* program) {
  char* const argv[] = {const_cast<char*>(program), nullptr};
  char* const environment[] = {nullptr};
  const pid_t pid = ::vfork();
  if (pid == 0) {
    ::execve(program, argv, environment);
    ::_exit(127);
  }
  int status = 0;
  return pid > 0 && ::waitpid(pid, &status, 0) == pid && status == 0;
}

// A whole connection; the reset leaves no port behind that must rest.
bool connect_and_reset(const sockaddr_in& address, int listener) {
  constexpr linger kReset{1, 0};
  const UniqueFd client(::socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0));
  if (::connect(client.get(), reinterpret_cast<const sockaddr*>(&address), sizeof(address)) != 0)
    return false;
  const UniqueFd server(::accept4(listener, nullptr, nullptr, SOCK_CLOEXEC));
  return ::setsockopt(client.get(), SOL_SOCKET, SO_LINGER, &kReset, sizeof(kReset)) == 0;
}

// The cheapest connect there is: nobody listens.
bool connect_in_vain(const sockaddr_in& address) {
  const UniqueFd client(::socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0));
  return ::connect(client.get(), reinterpret_cast<const sockaddr*>(&address), sizeof(address)) !=
             0 &&
         errno == ECONNREFUSED;
}

bool listen_and_close(const sockaddr_in& address) {
  constexpr int kOn = 1;
  const UniqueFd fd(::socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0));
  return ::setsockopt(fd.get(), SOL_SOCKET, SO_REUSEADDR, &kOn, sizeof(kOn)) == 0 &&
         ::bind(fd.get(), reinterpret_cast<const sockaddr*>(&address), sizeof(address)) == 0 &&
         ::listen(fd.get(), 1) == 0;
}

// Empty: the kind is unknown, or there is no port.
Step make_step(const Load& load) {
  if (load.kind == "exec") return [&load] { return run_program(load.program.c_str()); };
  sockaddr_in address{};
  auto bound = std::make_shared<UniqueFd>(bind_somewhere(address));
  if (!*bound) return {};
  if (load.kind == "refused")  // bound and not listening: nobody else takes the port
    return [address, bound] { return connect_in_vain(address); };
  if (load.kind == "listen") {
    bound->reset();
    return [address] { return listen_and_close(address); };
  }
  if (load.kind != "connect" || ::listen(bound->get(), 16) != 0) return {};
  return [address, bound] { return connect_and_reset(address, bound->get()); };
}

int work(const Load& load, int index, Done& done) {
  const Step step = make_step(load);
  if (!step) return 1;
  const double rate = load.rate / load.workers;
  const auto start = Clock::now();
  const auto seconds = [start] {
    return std::chrono::duration<double>(Clock::now() - start).count();
  };
  std::uint64_t made = 0;
  double now = 0;
  for (; now < load.seconds; now = seconds()) {
    if (rate > 0 && static_cast<double>(made) >= rate * now) {
      std::this_thread::sleep_for(kPause);
      continue;
    }
    if (!step()) {
      std::fprintf(stderr, "event_load: %s number %llu: %s\n", load.kind.c_str(),
                   static_cast<unsigned long long>(made), std::strerror(errno));
      return 1;
    }
    ++made;
  }
  done.made[static_cast<std::size_t>(index)] = made;
  done.seconds[static_cast<std::size_t>(index)] = now;
  return 0;
}

int run(const Load& load) {
  void* const shared =
      ::mmap(nullptr, sizeof(Done), PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
  if (shared == MAP_FAILED) return 1;
  Done& done = *static_cast<Done*>(shared);
  std::vector<pid_t> workers;
  for (int i = 0; i < load.workers; ++i) {
    const pid_t pid = ::fork();
    if (pid == 0) ::_exit(work(load, i, done));
    workers.push_back(pid);
  }
  bool is_good = true;
  std::string pids;
  std::uint64_t made = 0;
  double seconds = 0;
  for (std::size_t i = 0; i < workers.size(); ++i) {
    int status = 0;
    is_good = workers[i] > 0 && ::waitpid(workers[i], &status, 0) > 0 && status == 0 && is_good;
    pids += (i == 0 ? "" : ",") + std::to_string(workers[i]);
    made += done.made[i];
    seconds = std::max(seconds, done.seconds[i]);
  }
  if (!is_good) return 1;
  std::printf("{\"made\":%llu,\"seconds\":%.4f,\"workers\":[%s]}\n",
              static_cast<unsigned long long>(made), seconds, pids.c_str());
  return 0;
}

}  // namespace

int main(int argc, char** argv) {
  Load load;
  if (argc >= 5) {
    load = {argv[1], std::atoi(argv[2]), std::atof(argv[3]), std::atoi(argv[4]),
            argc > 5 ? argv[5] : ""};
  }
  if (load.seconds < 1 || load.seconds > kMaxSeconds || load.rate < 0 || load.workers < 1 ||
      load.workers > kMaxWorkers || (load.kind == "exec") == load.program.empty()) {
    std::fprintf(stderr,
                 "usage: event_load exec|connect|refused|listen SECONDS(1-%d) RATE WORKERS(1-%d) "
                 "[PROGRAM, for exec]\n",
                 kMaxSeconds, kMaxWorkers);
    return 2;
  }
  return run(load);
}
