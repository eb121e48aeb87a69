// SPDX-License-Identifier: Apache-2.0
// A sensor (or a gateway) that reports what it is told: events as JSON lines on standard input, by
// the reporter that daemons use. usage: fleet_producer COLLECTOR STATE_FOLDER TOKEN [COMPONENT] <
// events.jsonl
#include <cstdio>
#include <iostream>
#include <string>
#include <thread>

#include "sdk/core/report/convert.hpp"
#include "sdk/core/report/reporter.hpp"

namespace {

using namespace aispm;

int complain(const Error& error) {
  std::fprintf(stderr, "fleet_producer: %s\n", error.message.c_str());
  return 1;
}

}  // namespace

int main(int argc, char** argv) {
  if (argc != 4 && argc != 5) return 2;
  report::ReporterOptions options;
  options.component = argc == 5 ? argv[4] : "sensord";
  options.version = "test";
  options.collector = argv[1];
  options.state_folder = argv[2];
  options.enrolment_token = argv[3];
  auto reporter = report::Reporter::open(options);
  if (!reporter) return complain(reporter.error());
  for (std::string line; std::getline(std::cin, line);) {
    auto event = report::from_json(line);
    if (!event) return complain(event.error());
    if (!(*reporter)->offer(std::move(*event))) return complain({Errc::kExhausted, "not taken", 0});
  }
  if (auto flushed = (*reporter)->flush(std::chrono::seconds(60)); !flushed)
    return complain(flushed.error());
  // Durable here; now until the collector has all of it.
  auto stats = (*reporter)->stats();
  for (int i = 0; i < 3000 && stats.acknowledged < stats.accepted; ++i) {
    std::this_thread::sleep_for(std::chrono::milliseconds(20));
    stats = (*reporter)->stats();
  }
  std::printf("{\"acknowledged\":%llu,\"rejected\":%llu}\n",
              static_cast<unsigned long long>(stats.acknowledged),
              static_cast<unsigned long long>(stats.rejected));
  return 0;
}
