// SPDX-License-Identifier: Apache-2.0
// From the decision to block a running process to the first connection that is refused, and back;
// and what the hooks cost a connection that no rule is about. Medians and the slowest of the
// rounds.
#include <arpa/inet.h>
#include <signal.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <unistd.h>

#include <algorithm>
#include <chrono>
#include <cstdio>
#include <memory>
#include <string>
#include <vector>

#include "sdk/core/common/unique_fd.hpp"
#include "sensor/decide/decider.hpp"
#include "sensor/enforce/enforcer.hpp"

namespace {

using namespace aispm;
using namespace aispm::sensor;
using Clock = std::chrono::steady_clock;

constexpr int kRounds = 50;
constexpr int kConnects = 300;
constexpr double kTargetMilliseconds = 10;

sockaddr_in loopback(std::uint16_t port) {
  sockaddr_in address{};
  address.sin_family = AF_INET;
  address.sin_port = htons(port);
  address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
  return address;
}

UniqueFd listen_somewhere(std::uint16_t& port) {
  UniqueFd fd(::socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0));
  sockaddr_in address = loopback(0);
  socklen_t size = sizeof(address);
  auto* const generic = reinterpret_cast<sockaddr*>(&address);
  if (::bind(fd.get(), generic, size) != 0 || ::listen(fd.get(), 4096) != 0 ||
      ::getsockname(fd.get(), generic, &size) != 0)
    return {};
  port = ntohs(address.sin_port);
  return fd;
}

bool can_connect(std::uint16_t port) {
  const UniqueFd fd(::socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0));
  const sockaddr_in address = loopback(port);
  return ::connect(fd.get(), reinterpret_cast<const sockaddr*>(&address), sizeof(address)) == 0;
}

// Answers each byte by whether it can connect.
struct Child {
  pid_t pid = -1;
  UniqueFd ask, answer;

  explicit Child(std::uint16_t port) {
    int to[2];
    int from[2];
    if (::pipe(to) != 0 || ::pipe(from) != 0) return;
    pid = ::fork();
    if (pid == 0) {
      ::close(to[1]);
      char byte = 0;
      while (::read(to[0], &byte, 1) == 1) {
        byte = can_connect(port) ? 'y' : 'n';
        if (::write(from[1], &byte, 1) != 1) break;
      }
      ::_exit(0);
    }
    ::close(to[0]);
    ::close(from[1]);
    ask.reset(to[1]);
    answer.reset(from[0]);
  }
  ~Child() {
    if (pid <= 0) return;
    ::kill(pid, SIGKILL);
    ::waitpid(pid, nullptr, 0);
  }
  bool connects() const {
    char byte = 'c';
    return ::write(ask.get(), &byte, 1) == 1 && ::read(answer.get(), &byte, 1) == 1 && byte == 'y';
  }
};

void print(const std::string& name, double value, const char* unit, const char* target, bool ok) {
  if (target == nullptr)
    std::printf("{\"name\":\"%s\",\"value\":%.3f,\"unit\":\"%s\",\"target\":null,\"ok\":null}\n",
                name.c_str(), value, unit);
  else
    std::printf("{\"name\":\"%s\",\"value\":%.3f,\"unit\":\"%s\",\"target\":\"%s\",\"ok\":%s}\n",
                name.c_str(), value, unit, target, ok ? "true" : "false");
}

class Bench {
 public:
  Bench(Enforcer& enforcer, Decider& decider, const Child& child)
      : enforcer_(enforcer), decider_(decider), child_(child) {}

  bool put(std::vector<model::Order> orders) {
    (void)decider_.set_orders(std::move(orders), wall_now());
    const auto listed = enforcer_.list_processes();
    if (listed)
      for (const ListedProcess& one : *listed)
        if (one.id.pid == static_cast<std::uint32_t>(child_.pid)) decider_.on_process(one.id, {});
    if (!enforcer_.apply(decider_.tables())) return false;
    decider_.settle();
    return true;
  }
  model::Order about_child() {
    model::Order order;
    order.id = "bench";
    order.action = model::OrderAction::kBlock;
    order.enforces = true;
    order.match.process = model::ProcessId{};
    const auto listed = enforcer_.list_processes();
    if (listed)
      for (const ListedProcess& one : *listed)
        if (one.id.pid == static_cast<std::uint32_t>(child_.pid)) order.match.process = one.id;
    return order;
  }
  // Milliseconds until the child's connections are (`wanted`) or are not possible any more.
  double time_until(std::vector<model::Order> orders, bool wanted) {
    const auto begun = Clock::now();
    if (!put(std::move(orders))) return 1e9;
    while (child_.connects() != wanted) {
    }
    return std::chrono::duration<double, std::milli>(Clock::now() - begun).count();
  }

 private:
  Enforcer& enforcer_;
  Decider& decider_;
  const Child& child_;
};

double median(std::vector<double> values) {
  std::sort(values.begin(), values.end());
  return values[values.size() / 2];
}

double microseconds_per_connect(std::uint16_t port) {
  const auto begun = Clock::now();
  for (int i = 0; i < kConnects; ++i) (void)can_connect(port);
  return std::chrono::duration<double, std::micro>(Clock::now() - begun).count() / kConnects;
}

}  // namespace

int main() {
  std::uint16_t port = 0;
  const UniqueFd server = listen_somewhere(port);
  const Child child(port);
  EnforcerOptions options;
  options.pins = "";
  auto enforcer = Enforcer::open(options);
  if (!enforcer || !server) {
    std::fprintf(stderr, "skipped: needs root and eBPF\n");
    return 0;
  }
  Decider decider(DecideLookups{}, Protected{}, (*enforcer)->slots());
  Bench bench(**enforcer, decider, child);
  const double before = microseconds_per_connect(port);
  model::Order nobody;
  nobody.id = "nobody";
  nobody.action = model::OrderAction::kBlock;
  nobody.match.exe = "/nonexistent/program";
  if (!bench.put({nobody})) {
    std::fprintf(stderr, "skipped: the programs cannot be loaded here\n");
    return 0;
  }
  const double after = microseconds_per_connect(port);
  std::vector<double> blocked, freed;
  for (int round = 0; round < kRounds; ++round) {
    blocked.push_back(bench.time_until({nobody, bench.about_child()}, false));
    freed.push_back(bench.time_until({nobody}, true));
  }
  const double slowest = *std::max_element(blocked.begin(), blocked.end());
  const double typical = median(blocked);
  print("enforce.decision_to_refusal", typical, "ms", "< 10", typical < kTargetMilliseconds);
  print("enforce.decision_to_refusal.slowest", slowest, "ms", "< 10",
        slowest < kTargetMilliseconds);
  print("enforce.undo", median(freed), "ms", nullptr, true);
  print("enforce.connect_without_rules", before, "us", nullptr, true);
  print("enforce.connect_of_others", after, "us", nullptr, true);
  return 0;
}
