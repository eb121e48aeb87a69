// SPDX-License-Identifier: Apache-2.0
#include "sdk/core/codec/eventstream.hpp"

#include <gmock/gmock.h>

#include "tests/unit/codec/eventstream_wire.hpp"

namespace aispm::codec {
namespace {

using testing_support::aws_event;
using testing_support::event_message;

TEST(EventStreamParser, ReadsMessagesAtEveryStep) {
  const std::string stream =
      aws_event("a", "{}") + event_message({}, "") + aws_event("b", std::string(5000, 'x'));
  for (const std::size_t step : {std::size_t{1}, std::size_t{11}, SIZE_MAX}) {
    EventStreamParser parser;
    std::vector<std::string> seen;
    std::string_view rest = stream;
    while (!rest.empty()) {
      parser.feed(rest.substr(0, step));
      rest.remove_prefix(std::min(step, rest.size()));
      for (auto message = parser.next(); message && *message; message = parser.next())
        seen.push_back(std::string((*message)->message_type) + "/" + std::string((*message)->name) +
                       "/" + std::to_string((*message)->payload.size()));
    }
    EXPECT_THAT(seen, testing::ElementsAre("event/a/2", "//0", "event/b/5000"));
    EXPECT_EQ(parser.held_bytes(), 0U);
  }
}

TEST(EventStreamParser, RefusesEveryDamagedByte) {
  const std::string good = aws_event("a", R"({"k":"v"})");
  for (std::size_t i = 0; i < good.size(); ++i) {
    std::string bad = good;
    bad[i] = static_cast<char>(bad[i] ^ 0x20);
    EventStreamParser parser;
    parser.feed(bad);
    const auto message = parser.next();
    EXPECT_FALSE(message.has_value()) << i;
    EXPECT_FALSE(parser.next().has_value()) << i;
  }
}

TEST(EventStreamParser, HoldsItsLimits) {
  EventStreamParser parser(1000);
  parser.feed(aws_event("a", std::string(2000, 'x')).substr(0, 12));
  EXPECT_EQ(parser.next().error().code, Errc::kTooLarge);
  testing_support::EventHeaders many;
  for (std::size_t i = 0; i <= kMaxEventStreamHeaders; ++i) many.push_back({"h", "v"});
  EventStreamParser other;
  other.feed(event_message(many, ""));
  EXPECT_EQ(other.next().error().code, Errc::kTooLarge);
}

}  // namespace
}  // namespace aispm::codec
