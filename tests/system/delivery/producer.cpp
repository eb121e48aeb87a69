// SPDX-License-Identifier: Apache-2.0
// A daemon that does nothing but report: offers numbered events at a pace and prints its counters
// as JSON at the end. usage: delivery_producer COLLECTOR STATE_FOLDER TOKEN COUNT EVENTS_PER_SECOND
// SPOOL_CAP [WAIT_SECONDS [PADDING_BYTES]]
#include <algorithm>
#include <cstdio>
#include <cstdlib>
#include <string>
#include <thread>

#include "sdk/core/report/reporter.hpp"

namespace {

using namespace aispm;
using Clock = std::chrono::steady_clock;

model::Event numbered(std::uint64_t number, std::size_t padding) {
  model::Event event;
  event.source = model::Source::kSensor;
  event.session_id = "delivery";
  event.body =
      model::AgentLog{"info", std::string(padding, 'x'), {{"number", std::to_string(number)}}};
  return event;
}

// Connected, and everything accepted and not counted as lost has been acknowledged.
bool is_settled(const report::ReporterStats& stats) {
  return stats.connected &&
         stats.acknowledged + stats.lost_spool_full + stats.lost_disk_error >= stats.accepted;
}

void print(const report::ReporterStats& stats) {
  std::printf(
      "{\"accepted\":%llu,\"acknowledged\":%llu,\"rejected\":%llu,\"lost_queue_full\":%llu,\"lost_"
      "spool_full\":%llu,"
      "\"lost_disk_error\":%llu,\"spooled_bytes\":%llu}\n",
      static_cast<unsigned long long>(stats.accepted),
      static_cast<unsigned long long>(stats.acknowledged),
      static_cast<unsigned long long>(stats.rejected),
      static_cast<unsigned long long>(stats.lost_queue_full),
      static_cast<unsigned long long>(stats.lost_spool_full),
      static_cast<unsigned long long>(stats.lost_disk_error),
      static_cast<unsigned long long>(stats.spooled_bytes));
}

void offer_all(report::Reporter& reporter, std::uint64_t count, std::uint64_t per_second,
               std::size_t padding) {
  const auto start = Clock::now();
  for (std::uint64_t i = 0; i < count; ++i) {
    const auto due = start + std::chrono::microseconds(i * 1'000'000 / per_second);
    if (i % 64 == 0 && Clock::now() < due) std::this_thread::sleep_until(due);
    if (!reporter.offer(numbered(i, padding))) continue;  // counted by the reporter
  }
}

}  // namespace

int main(int argc, char** argv) {
  if (argc < 7) return 2;
  report::ReporterOptions options;
  options.component = "sensord";
  options.version = "test";
  options.collector = argv[1];
  options.state_folder = argv[2];
  options.enrolment_token = argv[3];
  options.spool_cap_bytes = std::strtoull(argv[6], nullptr, 10);
  auto reporter = report::Reporter::open(options);
  if (!reporter) {
    std::fprintf(stderr, "%s\n", reporter.error().message.c_str());
    return 1;
  }
  offer_all(**reporter, std::strtoull(argv[4], nullptr, 10),
            std::max(1ULL, std::strtoull(argv[5], nullptr, 10)),
            argc > 8 ? std::strtoul(argv[8], nullptr, 10) : 0);
  const auto flushed = (*reporter)->flush(std::chrono::seconds(30));
  if (!flushed) std::fprintf(stderr, "%s\n", flushed.error().message.c_str());
  print((*reporter)->stats());  // what is durable when the collector may still be away
  std::fflush(stdout);
  const auto until = Clock::now() + std::chrono::seconds(argc > 7 ? std::atoi(argv[7]) : 0);
  while (Clock::now() < until && !is_settled((*reporter)->stats()))
    std::this_thread::sleep_for(std::chrono::milliseconds(20));
  print((*reporter)->stats());
  return 0;
}
