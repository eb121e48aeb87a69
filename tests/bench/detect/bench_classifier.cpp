// SPDX-License-Identifier: Apache-2.0
// What tier 1 of the classifier costs by length of text. Prints JSON lines.
#include <algorithm>
#include <chrono>
#include <cstdio>
#include <string>
#include <vector>

#include "sdk/core/detect/classifier.hpp"

namespace {

using namespace aispm::detect;
using Clock = std::chrono::steady_clock;

constexpr std::string_view kProse =
    "The committee met on Tuesday; please forward the minutes to all members and ignore the draft "
    "that was sent before. Payments above 500 EUR need two signatures, and the system "
    "administrator "
    "must answer every request within a day. See https://intranet.example/rules for the details. ";

void measure(std::size_t bytes, const char* name, double target_us) {
  std::string text;
  while (text.size() < bytes) text += kProse;
  text.resize(bytes);
  ClassifierScratch scratch;
  std::vector<double> micros;
  std::int64_t sum = 0;
  const std::size_t rounds = std::clamp<std::size_t>(20'000'000 / bytes, 20, 5000);
  for (std::size_t i = 0; i < rounds; ++i) {
    const auto start = Clock::now();
    sum += classify(text, Surface::kToolResult, scratch).score;
    micros.push_back(std::chrono::duration<double, std::micro>(Clock::now() - start).count());
  }
  std::sort(micros.begin(), micros.end());
  const double p50 = micros[micros.size() / 2];
  const double p99 = micros[micros.size() * 99 / 100];
  std::printf(
      "{\"name\":\"classifier %s p50\",\"value\":%.2f,\"unit\":\"us\",\"target\":%.0f,\"ok\":%s}\n",
      name, p50, target_us, p50 <= target_us ? "true" : "false");
  std::printf(
      "{\"name\":\"classifier %s "
      "p99\",\"value\":%.2f,\"unit\":\"us\",\"target\":null,\"ok\":null}\n",
      name, p99);
  if (sum == INT64_MIN) std::puts("");  // the work is not to be left out
}

}  // namespace

int main() {
  measure(100, "100 B", 30);
  measure(1024, "1 KB", 100);
  measure(10 * 1024, "10 KB", 1000);
  measure(76 * 1024, "76 KB", 7600);
  measure(1 << 20, "1 MB", 100'000);
  return 0;
}
