// SPDX-License-Identifier: Apache-2.0
#include "sensor/selftest/selftest.hpp"

#include <spawn.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include <chrono>
#include <cstdio>
#include <string>
#include <utility>
#include <vector>

#include "sdk/core/common/log.hpp"
#include "sensor/capture/capture.hpp"
#include "sensor/capture/proc_reader.hpp"
#include "sensor/decode/decode.hpp"
#include "sensor/selftest/judge.hpp"
#include "sensor/selftest/library_table.hpp"

extern char** environ;

namespace aispm::sensor {
namespace {

constexpr std::chrono::seconds kDeadline{60};  // an emulated guest is slow
constexpr const char* kLingerMs = "1500";      // three looks of /proc polling

Result<std::uint32_t> start_worker(const char* kind, bool lingers) {
  const char* arguments[] = {"aispm-sensord",     "--selftest-work",         kind,
                             "--selftest-linger", lingers ? kLingerMs : "0", nullptr};
  pid_t pid = 0;
  const int error = ::posix_spawn(&pid, "/proc/self/exe", nullptr, nullptr,
                                  const_cast<char* const*>(arguments), environ);
  if (error != 0) return fail_errno("start the workload", error);
  return static_cast<std::uint32_t>(pid);
}

Expected expect(std::uint32_t worker, std::uint32_t killed) {
  Expected expected;
  expected.worker = worker;
  expected.killed = killed;
  expected.parent = static_cast<std::uint32_t>(::getpid());
  expected.uid = ::getuid();
  struct stat facts {};
  if (::stat("/proc/self/ns/pid", &facts) == 0) expected.pid_namespace = facts.st_ino;
  expected.exe = read_executable(expected.parent);
  expected.has_ipv6 = ::access("/proc/net/if_inet6", R_OK) == 0;
  return expected;
}

// Takes records until all is seen that should be, or both workers ended and nothing new came.
Result<std::vector<Record>> collect(Capture& capture, const Expected& expected) {
  std::vector<Record> records;
  const auto on_bytes = [&](std::span<const std::byte> bytes) {
    if (auto record = decode_record(bytes)) records.push_back(std::move(*record));
  };
  const auto all_pass = [&] {
    for (const Verdict& verdict : judge(expected, records))
      if (!verdict.passes) return false;
    return true;
  };
  int running = 2;
  const auto deadline = std::chrono::steady_clock::now() + kDeadline;
  auto settled = deadline;
  while (std::chrono::steady_clock::now() < std::min(deadline, settled)) {
    AISPM_CHECK(capture.wait(std::chrono::milliseconds(50)));
    AISPM_TRY(const bool has_more, capture.drain(on_bytes, on_bytes, [&](Record record) {
      records.push_back(std::move(record));
    }));
    while (running > 0 && ::waitpid(-1, nullptr, WNOHANG) > 0)
      if (--running == 0) settled = std::chrono::steady_clock::now() + std::chrono::seconds(3);
    if (!has_more && running == 0 && all_pass()) break;
  }
  return records;
}

int print_table(const std::vector<Verdict>& verdicts, const CaptureHealth& health) {
  std::size_t failed = 0;
  std::printf("%-14s %-18s %-8s %s\n", "FEATURE", "METHOD", "VERDICT", "WHY");
  for (const Verdict& verdict : verdicts) {
    const auto method = health.features.find(verdict.part);
    const std::string how = method == health.features.end() ? "no" : method->second;
    failed += verdict.passes ? 0 : 1;
    std::printf("%-14s %-18s %-8s %s\n", verdict.feature.c_str(), how.c_str(),
                verdict.passes ? "ok" : "FAILED", verdict.why.c_str());
  }
  for (const std::string& reason : health.reasons) std::printf("degraded: %s\n", reason.c_str());
  for (const auto& [name, value] : health.features)
    std::printf("kernel feature %s: %s\n", name.c_str(), value.c_str());
  for (const auto& [cause, loss] : decode_losses(boot_now(), health.losses).causes)
    if (loss.records > 0)
      std::printf("lost by %s: %llu\n", cause.c_str(),
                  static_cast<unsigned long long>(loss.records));
  std::printf("%zu passed, %zu failed, 0 skipped\n", verdicts.size() - failed, failed);
  return failed == 0 ? 0 : 1;
}

Result<int> test() {
  CaptureOptions options;
  options.own_tgid = static_cast<std::uint32_t>(::getpid());
  const auto unprobed = measure_unprobed();
  AISPM_TRY(auto capture, Capture::open(options));
  const bool lingers = capture->health().features.at("process") != "tp_btf";
  AISPM_TRY(const std::uint32_t worker, start_worker("all", lingers));
  AISPM_TRY(const std::uint32_t killed, start_worker("kill", false));
  const Expected expected = expect(worker, killed);
  AISPM_TRY(const auto records, collect(*capture, expected));
  const std::size_t wrong = print_libraries(*capture, unprobed);
  const int failed = print_table(judge(expected, records), capture->health());
  return wrong == 0 ? failed : 1;
}

}  // namespace

int run_selftest() {
  const auto result = test();
  if (!result) {
    std::printf("self-test could not run: %s\n0 passed, 1 failed, 0 skipped\n",
                result.error().message.c_str());
    return 1;
  }
  return *result;
}

}  // namespace aispm::sensor
