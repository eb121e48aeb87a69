// SPDX-License-Identifier: Apache-2.0
// APR-004: which tickets are looked up, which allow something, and how long an answer counts.
#include "gateway/proxy/decide/tickets.hpp"

#include <gmock/gmock.h>

namespace aispm::gateway {
namespace {

using ::testing::HasSubstr;

std::unique_ptr<TicketDesk> desk_of(TicketConfig config = {}) {
  config.url = "https://jira.example/rest/{ticket}?fields=status";
  config.pattern = "(JIRA|OPS)-[0-9]+";
  auto desk = TicketDesk::open(config);
  if (!desk) ADD_FAILURE() << desk.error().message;
  return desk ? std::move(*desk) : nullptr;
}

TEST(TicketDesk, LooksUpOnlyWhatHasTheFormOfATicket) {
  const auto desk = desk_of();
  EXPECT_EQ(desk->lookup().path_of("OPS-7"), "/rest/OPS-7?fields=status");
  for (const char* good : {"OPS-7", "JIRA-123"}) EXPECT_TRUE(desk->check_form(good)) << good;
  for (const char* bad : {"", "OPS-", "ops-7", "XOPS-7", "OPS-7x", "OPS-7\n", "../OPS-7", "OPS-7/x",
                          "OPS-7?x", "OTHER-7"})
    EXPECT_FALSE(desk->check_form(bad)) << bad;
  EXPECT_FALSE(desk->check_form("OPS-" + std::string(TicketDesk::kMaxTicketBytes, '1')));
}

TEST(TicketDesk, OnlyApprovedOnesAllow) {
  const auto desk = desk_of();
  EXPECT_TRUE(desk->allows("approved"));
  EXPECT_TRUE(desk->allows("in_progress"));
  for (const char* status : {"closed", "open", "Approved", ""}) EXPECT_FALSE(desk->allows(status));
}

TEST(TicketDesk, AnAnswerCountsForAMinute) {
  const auto desk = desk_of();
  const StatusLookup::Time heard{std::chrono::hours(1)};
  EXPECT_EQ(desk->lookup().known("OPS-7", heard), std::nullopt);
  desk->lookup().remember("OPS-7", "approved", heard);
  EXPECT_EQ(desk->lookup().known("OPS-7", heard + std::chrono::milliseconds(59'999)), "approved");
  EXPECT_EQ(desk->lookup().known("OPS-8", heard), std::nullopt);
  EXPECT_EQ(desk->lookup().known("OPS-7", heard + std::chrono::seconds(60)), std::nullopt);
  desk->lookup().remember("OPS-7", "closed", heard + std::chrono::seconds(61));
  EXPECT_EQ(desk->lookup().known("OPS-7", heard + std::chrono::seconds(62)), "closed");
  for (std::size_t i = 0; i <= StatusLookup::kMaxKept; ++i)
    desk->lookup().remember("OPS-" + std::to_string(100 + i), "approved", heard);
  EXPECT_EQ(desk->lookup().known("OPS-7", heard + std::chrono::seconds(62)), std::nullopt)
      << "bounded: it is asked again";
}

TEST(TicketDesk, ReadsTheStatusWhereItWasToldTo) {
  const std::string answer = R"({"fields": {"status": {"name": "approved"}, "n": 1}})";
  EXPECT_EQ(*read_status(answer, "fields.status.name"), "approved");
  for (const char* field : {"fields.status", "fields.n", "status", "fields.status.name.x"})
    EXPECT_THAT(read_status(answer, field).error().message, HasSubstr(field));
  EXPECT_FALSE(read_status("<html>", "fields"));
}

TEST(TicketDesk, TheTicketIsNoPartOfTheHost) {
  for (const char* url : {"https://{ticket}.example/x", "https://jira.example", "jira.example/x"}) {
    TicketConfig config;
    config.url = url;
    EXPECT_FALSE(TicketDesk::open(config)) << url;
  }
}

}  // namespace
}  // namespace aispm::gateway
