// SPDX-License-Identifier: Apache-2.0
// What operators did becomes an event, also when nobody had time for it at first.
#include "gateway/collector/audit.hpp"

#include <gtest/gtest.h>

#include <future>
#include <thread>

#include "gateway/collector/limits.hpp"
#include "gateway/collector/store/operator_log.hpp"
#include "tests/unit/collector/support.hpp"

namespace aispm::collector::test {
namespace {

TEST(Audit, ComesBackByItselfForWhatCouldNotBeDelivered) {
  Bench bench;
  Feed feed;
  Links links;
  const auto writer =
      Writer::start(must(store::EventWriter::open(must(store::Database::open(bench.path())))), feed,
                    {}, wall_now);
  const auto workers = must(Workers::start(bench.path(), "default", 1));
  std::promise<void> over;
  std::promise<void> begun;
  must(workers->post([&](Desk&) {
    begun.set_value();
    over.get_future().wait();
  }));
  begun.get_future().wait();
  for (std::size_t i = 0; i < limits::kMaxPendingCalls; ++i) must(workers->post([](Desk&) {}));
  ASSERT_FALSE(workers->post([](Desk&) {}));  // there is no room for one more
  pb::OperatorAction action;
  action.set_who("alice");
  action.set_action("freeze.create");
  must(store::note_operator_action(bench.database(), action, wall_now()));
  const auto audit = Audit::start(*writer, *workers, links, "default", "0");
  over.set_value();
  // Nobody does anything any more.
  const auto deadline = std::chrono::steady_clock::now() + std::chrono::seconds(60);
  const auto waits = [&] { return !must(store::waiting_actions(bench.database(), 1)).empty(); };
  while (waits() && std::chrono::steady_clock::now() < deadline)
    std::this_thread::sleep_for(std::chrono::milliseconds(50));
  EXPECT_FALSE(waits());
  pb::ListEventsRequest request;
  request.set_kind("operator_action");
  EXPECT_EQ(must(bench.reader().events(request, store::Reader::Only::kAll)).events_size(), 1);
}

}  // namespace
}  // namespace aispm::collector::test
