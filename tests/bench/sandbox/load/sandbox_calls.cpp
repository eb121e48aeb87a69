// SPDX-License-Identifier: Apache-2.0
// Makes system calls for bench_denied.py, inside or outside of a sandbox:
//   sandbox_calls cost ROUNDS    nanoseconds of an allowed call, of one that the filter itself
//                                refuses, and of one that the supervisor refuses, medians
//   sandbox_calls once           makes one call that is reported; prints CLOCK_MONOTONIC before it
//   sandbox_calls flood ROUNDS   eight calls that are reported, in turns, from two threads; prints
//                                how many were made and in how many nanoseconds
#include <linux/sched.h>
#include <sys/syscall.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <cstdint>
#include <cstdio>
#include <cstdlib>
#include <ctime>
#include <string_view>
#include <thread>
#include <vector>

namespace {

constexpr int kBatch = 16;

std::int64_t now_ns() {
  timespec at{};
  ::clock_gettime(CLOCK_MONOTONIC, &at);
  return at.tv_sec * 1'000'000'000LL + at.tv_nsec;
}

// Arguments that no kernel accepts: outside of a sandbox these calls do nothing either.
constexpr std::array<long, 8> kReported = {SYS_add_key, SYS_acct,        SYS_bpf,  SYS_keyctl,
                                           SYS_ptrace,  SYS_userfaultfd, SYS_kcmp, SYS_swapoff};

long refused_call(std::size_t kind) { return ::syscall(kReported[kind], -1L, -1L, -1L, -1L, -1L); }

template <typename Call>
double median_ns(int rounds, Call call) {
  std::vector<double> spent;
  for (int i = 0; i < rounds; ++i) {
    const auto begin = now_ns();
    for (int j = 0; j < kBatch; ++j) call();
    spent.push_back(static_cast<double>(now_ns() - begin) / kBatch);
  }
  std::nth_element(spent.begin(), spent.begin() + rounds / 2, spent.end());
  return spent[static_cast<std::size_t>(rounds) / 2];
}

void print_costs(int rounds) {
  const double allowed = median_ns(rounds, [] { (void)::syscall(SYS_getppid); });
  // A size of 0 is invalid everywhere; inside, the filter answers ENOSYS before that is looked at.
  const double by_filter = median_ns(rounds, [] { (void)::syscall(SYS_clone3, nullptr, 0); });
  const double by_supervisor = median_ns(rounds, [] { (void)refused_call(0); });
  std::printf("{\"allowed\": %.1f, \"by_filter\": %.1f, \"by_supervisor\": %.1f}\n", allowed,
              by_filter, by_supervisor);
}

void flood(int rounds) {
  const auto work = [rounds] {
    for (int i = 0; i < rounds; ++i) (void)refused_call(static_cast<std::size_t>(i) % 8);
  };
  const auto begin = now_ns();
  std::thread other(work);
  work();
  other.join();
  std::printf("{\"calls\": %d, \"nanoseconds\": %lld}\n", 2 * rounds,
              static_cast<long long>(now_ns() - begin));
}

}  // namespace

int main(int argc, char** argv) {
  const std::string_view mode = argc > 1 ? argv[1] : "";
  const int rounds = argc > 2 ? std::atoi(argv[2]) : 0;
  if (mode == "cost" && rounds > 0) {
    print_costs(rounds);
  } else if (mode == "once") {
    std::printf("{\"at\": %lld}\n", static_cast<long long>(now_ns()));
    (void)refused_call(0);
    ::sleep(1);  // the event is not to be the end's doing
  } else if (mode == "flood" && rounds > 0) {
    flood(rounds);
  } else {
    std::fprintf(stderr, "usage: sandbox_calls cost|flood ROUNDS | once\n");
    return 2;
  }
  return 0;
}
