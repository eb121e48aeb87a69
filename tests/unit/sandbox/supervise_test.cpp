// SPDX-License-Identifier: Apache-2.0
#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <linux/audit.h>

#include "sandbox/supervise/denials.hpp"
#include "sandbox/supervise/event_json.hpp"
#include "sandbox/supervise/gateway_link.hpp"
#include "sandbox/supervise/notifier.hpp"
#include "sandbox/supervise/proxy_header.hpp"

namespace aispm::sandbox {
namespace {

using testing::EndsWith;
using testing::HasSubstr;

TEST(JsonText, EscapesAndRepairs) {
  EXPECT_EQ(json_text("plain"), "\"plain\"");
  EXPECT_EQ(json_text("q\"b\\s\n\x7f"), R"("q\"b\\s\u000a\u007f")");
  EXPECT_EQ(json_text("caf\xc3\xa9 \xf0\x9f\x98\x80"), "\"caf\xc3\xa9 \xf0\x9f\x98\x80\"");
  EXPECT_EQ(json_text("\xff\xc0\xaf\xed\xa0\x80\xc3"),
            "\"" +
                std::string("\xEF\xBF\xBD\xEF\xBF\xBD\xEF\xBF\xBD\xEF\xBF\xBD\xEF\xBF\xBD\xEF\xBF"
                            "\xBD\xEF\xBF\xBD") +
                "\"");
}

TEST(JsonText, HoldsNothingThatAnyReaderTakesForALineEnd) {
  EXPECT_EQ(json_text("a\xc2\x85"
                      "b\xe2\x80\xa8"
                      "c\xe2\x80\xa9"
                      "d\xc2\xa0"),
            "\"a\\u0085b\\u2028c\\u2029d\xc2\xa0\"");
}

TEST(Events, CarryTheRunAndTheDenial) {
  const RunIdentity run{"ann/agent.py", "s-1", "0123456789abcdef0123456789abcdef", 42};
  const auto first = Denials::Clock::time_point() + std::chrono::hours(1);
  const FoldedDenial folded{{DenialKind::kConnect, "1.2.3.4:443", "tcp", ECONNREFUSED},
                            3,
                            first,
                            first + std::chrono::seconds(2)};
  const std::string event = denial_event(run, folded, first + std::chrono::seconds(5),
                                         WallTime{1'800'000'005'000'000'000});
  EXPECT_THAT(event, HasSubstr(R"("agent_id":"ann/agent.py")"));
  EXPECT_THAT(event, HasSubstr(R"("session_id":"s-1")"));
  EXPECT_THAT(
      event,
      HasSubstr(
          R"("sandbox_denial":{"kind":"KIND_CONNECT","target":"1.2.3.4:443","protocol":"tcp","count":"3","error":"ECONNREFUSED","first_time":"2027-01-15T08:00:00.000000Z","last_time":"2027-01-15T08:00:02.000000Z"})"));
  EXPECT_THAT(
      start_event(run, {"a", "b c"}, "default", {"seccomp"}, {"egress gateway"}, "/srv/app"),
      HasSubstr(R"("command":["a","b c"],"profile":"default","pid_namespace":"42")"));
  ExitReport report;
  report.exit_code = 7;
  report.duration = std::chrono::microseconds(5);
  report.denials = 2;
  report.output_bytes = 9;
  EXPECT_THAT(
      exit_event(run, report),
      HasSubstr(
          R"("sandbox_exit":{"exit_code":7,"signal":0,"duration_us":"5","denials":"2","output_bytes":"9","log_lines":"0"})"));
  report.limits = {"wall_time", "memory"};
  report.ended_by_limit = true;
  EXPECT_THAT(exit_event(run, report),
              HasSubstr(R"("limits":["wall_time","memory"],"ended_by_limit":true})"));
}

TEST(Denials, FoldsEqualOnesIntoOneReport) {
  Denials denials;
  const auto now = Denials::Clock::time_point() + std::chrono::hours(1);
  EXPECT_EQ(denials.due(), Denials::Clock::time_point::max());
  const auto at = [&](int i) { return now + std::chrono::milliseconds(i); };
  for (int i = 0; i < 5; ++i) denials.add({DenialKind::kSyscall, "ptrace", "", EPERM}, 1, at(i));
  denials.add({DenialKind::kSyscall, "ptrace", "", ENOSYS}, 1, now);
  denials.add({DenialKind::kDns, "x.example", "udp"}, 1, now);
  EXPECT_EQ(denials.due(), now + std::chrono::milliseconds(2));
  const auto is = [](const Denial& denial, std::uint64_t count, Denials::Clock::time_point first,
                     Denials::Clock::time_point last) {
    return testing::AllOf(
        testing::Field(&FoldedDenial::denial, denial), testing::Field(&FoldedDenial::count, count),
        testing::Field(&FoldedDenial::first, first), testing::Field(&FoldedDenial::last, last));
  };
  EXPECT_THAT(denials.take(), testing::UnorderedElementsAre(
                                  is({DenialKind::kSyscall, "ptrace", "", EPERM}, 5, now, at(4)),
                                  is({DenialKind::kSyscall, "ptrace", "", ENOSYS}, 1, now, now),
                                  is({DenialKind::kDns, "x.example", "udp"}, 1, now, now)));
  EXPECT_EQ(denials.total(), 7U);
  EXPECT_TRUE(denials.take().empty());
}

TEST(Denials, ComeAtOnceUntilThereAreTooManyAndAgainAfterARest) {
  Denials denials;
  auto now = Denials::Clock::time_point() + std::chrono::hours(1);
  const auto wait_for_batch = [&] {
    denials.add({DenialKind::kConnect, "x", "tcp"}, 1, now);
    const auto waited = denials.due() - now;
    now = denials.due();
    EXPECT_EQ(denials.take().size(), 1U);
    return waited;
  };
  for (int i = 0; i < 10; ++i) EXPECT_EQ(wait_for_batch(), std::chrono::milliseconds(2)) << i;
  // Twenty, and the one that is earned back meanwhile.
  for (int i = 0; i < 21; ++i) EXPECT_EQ(wait_for_batch(), std::chrono::milliseconds(50)) << i;
  EXPECT_GT(wait_for_batch(), std::chrono::milliseconds(900));
  for (int i = 0; i < 3; ++i) EXPECT_EQ(wait_for_batch(), std::chrono::seconds(1)) << i;
  now += std::chrono::minutes(1);
  EXPECT_EQ(wait_for_batch(), std::chrono::milliseconds(2));
}

TEST(Denials, BoundsDistinctTargetsAndLosesNoCount) {
  Denials denials;
  constexpr std::uint64_t kMany = 100'000;
  for (std::uint64_t i = 0; i < kMany; ++i)
    denials.add({DenialKind::kConnect, std::to_string(i), "tcp"}, 1, {});
  const auto batch = denials.take();
  EXPECT_LE(batch.size(), Denials::kMaxDistinct + 1);
  std::uint64_t sum = 0;
  for (const auto& folded : batch) sum += folded.count;
  EXPECT_EQ(sum, kMany);
}

TEST(ProxyHeader, IsVersion2WithTheAgreedTlvs) {
  const std::string header = make_proxy_header(Speaker::kAgent, "sess", "bot", "");
  const std::string expected(
      "\x0D\x0A\x0D\x0A\x00\x0D\x0A\x51\x55\x49\x54\x0A\x21\x00\x00\x0D\xE0\x00\x04sess\xE1\x00\x03"
      "bot",
      29);
  EXPECT_EQ(header, expected);
  EXPECT_EQ(make_proxy_header(Speaker::kLauncher, "s", "b", "t")[12], '\x20');
  const std::string child = make_proxy_header(
      Speaker::kAgent, "s", "b", "",
      {.egress_host = {}, .parents = {{"s-1", "planner"}, {"s-2", "coder"}}, .parent_session = {}});
  EXPECT_THAT(child, EndsWith(std::string("\xE4\x00\x0Bs-1 planner", 14) +
                              std::string("\xE4\x00\x09s-2 coder", 12)));
}

TEST(Reply, ReadsStatusAndBody) {
  const auto reply = parse_reply("HTTP/1.1 200 OK\r\ncontent-LENGTH: 2\r\n\r\nokTRAILING");
  ASSERT_TRUE(reply);
  EXPECT_EQ(reply->status, 200);
  EXPECT_EQ(reply->body, "ok");
}

TEST(Reply, RefusesWhatIsNoWholeReply) {
  for (const char* bad : {"", "HTTP/1.1 200 OK\r\n", "SMTP 200\r\n\r\n", "HTTP/1.1 2x0 OK\r\n\r\n",
                          "HTTP/1.1 200 OK\r\nContent-Length: 9\r\n\r\nshort"})
    EXPECT_FALSE(parse_reply(bad)) << bad;
}

TEST(JsonField, IsFoundOrEmpty) {
  EXPECT_EQ(find_json_text(R"({"version": "1", "agent_id" : "ann/agent.py"})", "agent_id"),
            "ann/agent.py");
  EXPECT_EQ(find_json_text(R"({"agent_id": 7})", "agent_id"), "");
  EXPECT_EQ(find_json_text(R"({"agent_id": "a\"b"})", "agent_id"), "");
  EXPECT_EQ(find_json_text("{\"agent_id\"", "agent_id"), "");
}

TEST(CallName, ComesFromRegistersAlone) {
  seccomp_data call{};
  call.arch = AUDIT_ARCH_I386;
  call.nr = 26;
  EXPECT_EQ(name_call(call), "i386:26");
#if defined(__x86_64__)
  call.arch = AUDIT_ARCH_X86_64;
  call.nr = 101;
  EXPECT_EQ(name_call(call), "ptrace");
  call.nr = 0x40000000 | 39;
  EXPECT_EQ(name_call(call), "x32:39");
  call.nr = 4000;
  EXPECT_EQ(name_call(call), "syscall:4000");
  call.nr = -1;
  EXPECT_EQ(name_call(call), "syscall:-1");
  call.nr = 41;
  call.args[0] = 40 | 1ULL << 32;
  call.args[1] = 0x80001;
  EXPECT_EQ(name_call(call), "socket(AF_VSOCK,1,0)");
  call.nr = 44;
  EXPECT_EQ(name_call(call), "sendto(MSG_OOB)");
  call.nr = 90;
  EXPECT_EQ(name_call(call), "chmod(set-id)");
  call.nr = 322;
  call.args[4] = 0x1000;
  EXPECT_EQ(name_call(call), "execveat(0x1000)");
#endif
}

}  // namespace
}  // namespace aispm::sandbox
