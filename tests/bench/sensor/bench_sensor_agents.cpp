// SPDX-License-Identifier: Apache-2.0
// What following agents costs: every process for each system call while the file hooks are attached
// (none when no agent runs), and an agent for each file it opens. Rounds are interleaved; medians.
#include <fcntl.h>
#include <sys/syscall.h>
#include <time.h>
#include <unistd.h>

#include <algorithm>
#include <cstdio>
#include <cstdlib>
#include <functional>
#include <string>
#include <vector>

#include "sensor/capture/capture.hpp"
#include "sensor/capture/proc_reader.hpp"

namespace {

using namespace aispm;
using namespace aispm::sensor;

constexpr int kRounds = 9;
constexpr int kCalls = 20'000;

double cpu_nanoseconds() {
  timespec now{};
  ::clock_gettime(CLOCK_THREAD_CPUTIME_ID, &now);
  return static_cast<double>(now.tv_sec) * 1e9 + static_cast<double>(now.tv_nsec);
}

double cost_of(const std::function<void()>& call) {
  const double start = cpu_nanoseconds();
  for (int i = 0; i < kCalls; ++i) call();
  return (cpu_nanoseconds() - start) / kCalls;
}

void make_a_call() { ::syscall(SYS_getppid); }
void open_a_file() { ::close(::open("/etc/hostname", O_RDONLY | O_CLOEXEC)); }

double median(std::vector<double> values) {
  std::sort(values.begin(), values.end());
  return values[values.size() / 2];
}

void print(const std::string& name, double value, const char* unit) {
  std::printf("{\"name\":\"%s\",\"value\":%.3f,\"unit\":\"%s\",\"target\":null,\"ok\":null}\n",
              name.c_str(), value, unit);
}

struct Costs {
  std::vector<double> call, open;
  void measure() {
    call.push_back(cost_of(make_a_call));
    open.push_back(cost_of(open_a_file));
  }
};

}  // namespace

int main() {
  CaptureOptions options;
  options.mode = CaptureMode::kEbpf;
  auto capture = Capture::open(options);
  if (!capture) {
    std::fprintf(stderr, "skipped: %s\n", capture.error().message.c_str());
    return 0;
  }
  Costs without, others, agents;
  for (int round = 0; round < kRounds; ++round) {
    (*capture)->watch_files(false);
    without.measure();
    (*capture)->watch_files(true);
    others.measure();
  }
  const auto self = read_process(static_cast<std::uint32_t>(::getpid()));
  (*capture)->follow_agent(self.value().actor.id, 1);
  for (int round = 0; round < kRounds; ++round) agents.measure();
  print("files.call_without_agents", median(without.call), "ns");
  print("files.call_while_an_agent_runs", median(others.call), "ns");
  print("files.open_without_agents", median(without.open), "ns");
  print("files.open_while_an_agent_runs", median(others.open), "ns");
  print("files.open_by_an_agent", median(agents.open), "ns");
  print("files.open_by_an_agent.ratio", median(agents.open) / median(without.open), "x");
  return 0;
}
