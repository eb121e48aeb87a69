// SPDX-License-Identifier: Apache-2.0
// What tier 1 of the classifier costs by length of text, and all layers of inspect() with it, on
// plain text and on text that is leet throughout, which is mended and read twice. Prints JSON
// lines.
#include <algorithm>
#include <chrono>
#include <cstdio>
#include <string>
#include <tuple>
#include <utility>
#include <vector>

#include "sdk/core/detect/inspect.hpp"

namespace {

using namespace aispm::detect;
using Clock = std::chrono::steady_clock;

constexpr std::string_view kProse =
    "The committee met on Tuesday; please forward the minutes to all members and ignore the draft "
    "that was sent before. Payments above 500 EUR need two signatures, and the system "
    "administrator "
    "must answer every request within a day. See https://intranet.example/rules for the details. ";

constexpr std::string_view kLeet =
    "7h3 c0mm1773 m37 0n 7u35d4y 4nd 4ppr0v3d 7h3 budg37 f0r 7h3 n3x7 y34r. Pl3453 br1ng 7h3 "
    "f1gur35 0f y0ur d3p4r7m3n7. ";

std::string text_of(std::string_view unit, std::size_t bytes) {
  std::string text;
  while (text.size() < bytes) text += unit;
  text.resize(bytes);
  return text;
}

template <typename Run>
void measure(const std::string& name, std::size_t bytes, double target_us, Run run) {
  std::vector<double> micros;
  const std::size_t rounds = std::clamp<std::size_t>(20'000'000 / bytes, 20, 5000);
  for (std::size_t i = 0; i < rounds; ++i) {
    const auto start = Clock::now();
    run();
    micros.push_back(std::chrono::duration<double, std::micro>(Clock::now() - start).count());
  }
  std::sort(micros.begin(), micros.end());
  const double p50 = micros[micros.size() / 2];
  const double p99 = micros[micros.size() * 99 / 100];
  std::printf("{\"name\":\"%s p50\",\"value\":%.2f,\"unit\":\"us\",\"target\":%.0f,\"ok\":%s}\n",
              name.c_str(), p50, target_us, p50 <= target_us ? "true" : "false");
  std::printf("{\"name\":\"%s p99\",\"value\":%.2f,\"unit\":\"us\",\"target\":null,\"ok\":null}\n",
              name.c_str(), p99);
}

void measure_classifier(const std::string& size, std::size_t bytes, double target_us) {
  const std::string text = text_of(kProse, bytes);
  ClassifierScratch scratch;
  std::int64_t sum = 0;
  measure("classifier " + size, bytes, target_us,
          [&] { sum += classify(text, Surface::kToolResult, scratch).score; });
  if (sum == INT64_MIN) std::puts("");  // the work is not to be left out
}

int measure_inspect() {
  const auto engine = Engine::open(std::string(AISPM_SOURCE_DIR) + "/policies/detect");
  if (!engine) {
    std::fprintf(stderr, "%s\n", engine.error().message.c_str());
    return 1;
  }
  auto scratch = (*engine)->make_scratch();
  if (!scratch) return 1;
  Tier1 tier1;
  InspectOptions options;
  options.classifier = &tier1;
  Inspection inspection;
  const std::pair<const char*, std::string_view> units[] = {{"plain", kProse}, {"leet", kLeet}};
  for (const auto& [kind, unit] : units) {
    for (const auto& [size, bytes, target] : {std::tuple{"100 B", std::size_t{100}, 30.0},
                                              std::tuple{"1 KB", std::size_t{1} << 10, 100.0},
                                              std::tuple{"10 KB", std::size_t{10} << 10, 1000.0}}) {
      const std::string text = text_of(unit, bytes);
      measure(std::string("inspect ") + kind + " " + size, bytes, target, [&] {
        (void)inspect(**engine, text, Surface::kToolResult, options, *scratch, inspection);
      });
    }
  }
  return 0;
}

}  // namespace

int main() {
  measure_classifier("100 B", 100, 30);
  measure_classifier("1 KB", 1024, 100);
  measure_classifier("10 KB", 10 * 1024, 1000);
  measure_classifier("76 KB", 76 * 1024, 7600);
  measure_classifier("1 MB", 1 << 20, 100'000);
  return measure_inspect();
}
