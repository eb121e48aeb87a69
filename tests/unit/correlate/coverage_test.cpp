// SPDX-License-Identifier: Apache-2.0
// Coverage honesty: wire bytes against plaintext, and why not.
#include "sensor/correlate/coverage.hpp"

#include <gmock/gmock.h>

#include "tests/unit/correlate/plaintext.hpp"

namespace aispm::sensor {
namespace {

using ::testing::ElementsAre;
using ::testing::IsEmpty;
using ::testing::SizeIs;

constexpr std::uint64_t kSecond = 1'000'000'000;

struct CoverageTest : ::testing::Test {
  Endpoints socket(std::uint64_t cookie, std::uint16_t port = 443) {
    Endpoints one;
    one.destination.port = port;
    one.cookie = cookie;
    return one;
  }
  void wire(std::uint64_t cookie, std::uint64_t sent, std::uint64_t received, bool is_open = false,
            Transport transport = Transport::kTcp, bool from_start = true) {
    SocketBytes bytes;
    bytes.time.nanoseconds = now;
    bytes.actor.id = tls.key.process;
    bytes.socket = socket(cookie);
    bytes.transport = transport;
    bytes.sent_bytes = sent;
    bytes.received_bytes = received;
    bytes.is_open = is_open;
    bytes.saw_from_start = from_start;
    coverage.take(bytes);
  }
  void plain(Plaintext& who, std::size_t size, Direction direction = Direction::kWrite) {
    coverage.take(who.chunk(direction, std::string(size, 'x')));
  }
  void library(std::string_view name, bool is_probed, std::string_view reason = "") {
    TlsLibraryFact fact;
    fact.process = tls.key.process;
    fact.library = name;
    fact.is_probed = is_probed;
    fact.reason = reason;
    coverage.take(fact);
  }
  model::TlsCoverage report() {
    now += 100 * kSecond;
    const auto reports = coverage.due(BootTime{now});
    return reports.empty() ? model::TlsCoverage() : reports[0].coverage;
  }

  CorrelateCounters counters;
  Coverage coverage{std::chrono::seconds(60), counters};
  Plaintext tls;
  std::uint64_t now = 10 * kSecond;
};

TEST_F(CoverageTest, CallsFramingNoGap) {
  tls.socket = socket(1);
  for (int i = 0; i < 20; ++i) plain(tls, 16384);
  // A handshake and a header, type and tag for each record.
  wire(1, 20 * (16384 + 22) + 1500, 5200);
  const model::TlsCoverage seen = report();
  EXPECT_EQ(seen.connections, 1U);
  EXPECT_EQ(seen.plaintext_bytes, 20U * 16384);
  EXPECT_EQ(seen.wire_bytes, seen.plaintext_bytes) << "100 %, never more";
  EXPECT_THAT(seen.gaps, IsEmpty());
}

TEST_F(CoverageTest, NeverShowsMoreThanAll) {
  tls.socket = socket(1);
  plain(tls, 100'000);
  wire(1, 60'000, 0, true);  // an interim total that is older than the plaintext
  const model::TlsCoverage seen = report();
  EXPECT_LE(seen.plaintext_bytes, seen.wire_bytes);
  EXPECT_EQ(seen.plaintext_bytes, 100'000U);
}

TEST_F(CoverageTest, NamesTheLibraryThatIsNotProbed) {
  library("rustls-ring", false, "no fingerprint");
  wire(1, 20'000, 300'000);
  const model::TlsCoverage seen = report();
  EXPECT_EQ(seen.plaintext_bytes, 0U);
  EXPECT_EQ(seen.wire_bytes, 320'000U);
  EXPECT_THAT(seen.gaps,
              ElementsAre(model::CoverageGap{"rustls-ring", "no fingerprint", 1, 320'000}));
}

// Who looks for libraries reads the start of a process from /proc, in ticks of 10 ms.
TEST_F(CoverageTest, KnowsAProcessByAStartOfProcsCoarseness) {
  tls.key.process.start.nanoseconds = 1'234'567'890;
  TlsLibraryFact fact;
  fact.process = {tls.key.process.pid, BootTime{1'230'000'000}};
  fact.library = "rustls-ring";
  fact.reason = "no fingerprint";
  coverage.take(fact);
  wire(1, 20'000, 300'000);
  EXPECT_THAT(report().gaps,
              ElementsAre(model::CoverageGap{"rustls-ring", "no fingerprint", 1, 320'000}));
}

TEST_F(CoverageTest, HoldsNothingOfProcessesThatOnlyHaveALibrary) {
  for (std::uint32_t pid = 1; pid <= 2 * Coverage::kMaxProcesses; ++pid) {
    tls.key.process.pid = pid;
    library("openssl", true);
    (void)coverage.end_process(tls.key.process, BootTime{now});
    library("openssl", true);  // found before its end, told after it
  }
  EXPECT_THAT(counters.by_cause, IsEmpty());
}

TEST_F(CoverageTest, SaysWhenNoLibraryIsKnown) {
  wire(1, 1000, 2000);  // all its bytes count: nothing says they were a handshake only
  EXPECT_THAT(report().gaps,
              ElementsAre(model::CoverageGap{"unknown", "no TLS library recognised", 1, 3000}));
}

TEST_F(CoverageTest, TakesABareHandshakeForNoGapWhereAllIsProbed) {
  library("openssl", true);
  wire(1, 900, 5000);
  EXPECT_THAT(report().gaps, IsEmpty());
}

TEST_F(CoverageTest, SaysWhatWasJoinedMidway) {
  tls.from_start = false;
  tls.socket = socket(1);
  library("openssl", true);
  plain(tls, 10'000);
  wire(1, 500'000, 500'000, false, Transport::kTcp, false);
  const model::TlsCoverage seen = report();
  ASSERT_THAT(seen.gaps, SizeIs(1));
  EXPECT_EQ(seen.gaps[0].library, "openssl");
  EXPECT_EQ(seen.gaps[0].reason, "joined midway");
  EXPECT_EQ(seen.plaintext_bytes + seen.gaps[0].wire_bytes, seen.wire_bytes);
}

TEST_F(CoverageTest, SaysWhatTheRingLost) {
  tls.socket = socket(1);
  plain(tls, 50'000);
  tls.lose_written(70'000);
  StreamChunk after = tls.chunk(Direction::kWrite, "after the hole");
  after.gap_bytes = 70'000;
  after.gap_cause = GapCause::kRingFull;
  coverage.take(after);
  wire(1, 130'000, 5000);
  const model::TlsCoverage seen = report();
  ASSERT_THAT(seen.gaps, SizeIs(1));
  EXPECT_EQ(seen.gaps[0].reason, "ring full");
  EXPECT_GT(seen.gaps[0].wire_bytes, 60'000U);
}

TEST_F(CoverageTest, CallsQuicNotDecrypted) {
  wire(1, 3000, 90'000, false, Transport::kUdp);
  EXPECT_THAT(report().gaps, ElementsAre(model::CoverageGap{"quic", "not decrypted", 1, 93'000}));
}

TEST_F(CoverageTest, PutsPlaintextOfMemoryBiosDownToTheProcessesSockets) {
  library("openssl", true);
  plain(tls, 200'000);  // no socket known
  wire(1, 204'000, 4000);
  const model::TlsCoverage seen = report();
  EXPECT_EQ(seen.connections, 1U);
  EXPECT_EQ(seen.plaintext_bytes, 200'000U);
  EXPECT_EQ(seen.wire_bytes, 200'000U);
  EXPECT_THAT(seen.gaps, IsEmpty());
}

TEST_F(CoverageTest, IgnoresSocketsWithoutTls) {
  SocketBytes bytes;
  bytes.actor.id = tls.key.process;
  bytes.socket = socket(1, 5432);
  bytes.sent_bytes = 1'000'000;
  coverage.take(bytes);
  now += 100 * kSecond;
  EXPECT_THAT(coverage.due(BootTime{now}), IsEmpty());
}

TEST_F(CoverageTest, CountsAClientHelloOnAnyPort) {
  SeenName name;
  name.actor.id = tls.key.process;
  name.name = "llm.example";
  name.socket = socket(1, 8443);
  coverage.take(name);
  SocketBytes bytes;
  bytes.actor.id = tls.key.process;
  bytes.socket = socket(1, 8443);
  bytes.sent_bytes = 10'000;
  coverage.take(bytes);
  EXPECT_EQ(report().wire_bytes, 10'000U);
}

TEST_F(CoverageTest, ReportsOnlyWhatChanged) {
  wire(1, 1000, 1000);
  EXPECT_EQ(report().connections, 1U);
  now += 100 * kSecond;
  EXPECT_THAT(coverage.due(BootTime{now}), IsEmpty());
  wire(2, 1000, 1000);
  EXPECT_EQ(report().connections, 2U);
  wire(3, 1000, 1000);
  const auto last = coverage.end_process(tls.key.process, BootTime{now});
  ASSERT_TRUE(last.has_value());
  EXPECT_EQ(last->coverage.connections, 3U);
  EXPECT_FALSE(coverage.end_process(tls.key.process, BootTime{now}).has_value());
}

TEST_F(CoverageTest, IsBoundedInProcesses) {
  for (std::uint32_t pid = 1; pid <= Coverage::kMaxProcesses + 10; ++pid) {
    tls.key.process.pid = pid;
    wire(pid, 10'000, 0);
  }
  EXPECT_EQ(counters.by_cause["coverage.evicted"], 10U);
  now += 100 * kSecond;
  EXPECT_EQ(coverage.due(BootTime{now}).size(), Coverage::kMaxProcesses + 10) << "none is lost";
}

TEST_F(CoverageTest, LosesNothingOfManyConnectionsThatEnd) {
  const std::uint64_t count = 3 * Coverage::kMaxSocketsOfProcess;
  for (std::uint64_t cookie = 1; cookie <= count; ++cookie) {
    wire(cookie, 20'000, 0, true);
    wire(cookie, 30'000, 0);  // all within a moment: none has settled
  }
  EXPECT_EQ(counters.by_cause["coverage.sockets_full"], 0U);
  EXPECT_LE(coverage.sockets(), Coverage::kMaxSocketsOfProcess);
  const model::TlsCoverage seen = report();
  EXPECT_EQ(seen.connections, count);
  EXPECT_EQ(seen.wire_bytes, count * 30'000);
  EXPECT_EQ(coverage.sockets(), 0U);
}

TEST_F(CoverageTest, CountsOpenSocketsThatItNoLongerFollows) {
  for (std::uint64_t cookie = 1; cookie <= Coverage::kMaxSocketsOfProcess + 5; ++cookie)
    wire(cookie, 1, 1, true);
  EXPECT_EQ(counters.by_cause["coverage.sockets_full"], 5U);
  EXPECT_EQ(coverage.sockets(), Coverage::kMaxSocketsOfProcess);
  EXPECT_EQ(report().connections, Coverage::kMaxSocketsOfProcess + 5) << "what they had counts";
}

TEST_F(CoverageTest, IsBoundedInSocketsOfAllProcesses) {
  constexpr std::uint64_t kEach = Coverage::kMaxSocketsOfProcess;
  for (std::uint64_t cookie = 1; cookie <= Coverage::kMaxSockets + 2; ++cookie) {
    tls.key.process.pid = static_cast<std::uint32_t>(cookie / kEach + 1);
    wire(cookie, 1, 1, true);
  }
  EXPECT_EQ(coverage.sockets(), Coverage::kMaxSockets);
  EXPECT_EQ(counters.by_cause["coverage.sockets_full"], 2U);
}

TEST_F(CoverageTest, HoldsNoSocketOfQuic) {
  SeenName name;
  name.actor.id = tls.key.process;
  name.source = NameSource::kQuic;
  name.time.nanoseconds = now;
  for (std::uint64_t cookie = 1; cookie <= 100; ++cookie) {
    name.socket = socket(cookie);
    coverage.take(name);
  }
  EXPECT_EQ(report().connections, 100U);
  EXPECT_EQ(coverage.sockets(), 0U) << "nobody tells of their end";
}

TEST_F(CoverageTest, WaitsForTheEndsOfAnEndedProcessesSockets) {
  tls.socket = socket(1);
  plain(tls, 100'000);
  EXPECT_FALSE(coverage.end_process(tls.key.process, BootTime{now}).has_value());
  now += 2 * kSecond;
  EXPECT_THAT(coverage.due(BootTime{now}), SizeIs(0));
  wire(1, 104'000, 300'000);  // the peer's goodbye
  now += kSecond;
  const auto reports = coverage.due(BootTime{now});
  ASSERT_THAT(reports, SizeIs(1));
  EXPECT_EQ(reports[0].coverage.connections, 1U);
  EXPECT_GT(reports[0].coverage.wire_bytes, 390'000U);
  now += 100 * kSecond;
  EXPECT_THAT(coverage.due(BootTime{now}), IsEmpty()) << "it is forgotten";
}

TEST_F(CoverageTest, WaitsNotForEverForAnEndThatWasLost) {
  tls.socket = socket(1);
  plain(tls, 100'000);
  EXPECT_FALSE(coverage.end_process(tls.key.process, BootTime{now}).has_value());
  now += 70 * kSecond;
  const auto reports = coverage.due(BootTime{now});
  ASSERT_THAT(reports, SizeIs(1));
  EXPECT_EQ(reports[0].coverage.plaintext_bytes, 100'000U);
  EXPECT_EQ(coverage.sockets(), 0U);
  wire(1, 104'000, 300'000);
  EXPECT_EQ(counters.by_cause["coverage.closed_late"], 1U);
  EXPECT_EQ(coverage.sockets(), 0U);
}

TEST_F(CoverageTest, ForgetsAProcessKnownOnlyByWhatCameAfterItsEnd) {
  EXPECT_FALSE(coverage.end_process(tls.key.process, BootTime{now}).has_value());
  wire(1, 20'000, 300'000);
  now += kSecond;
  const auto reports = coverage.due(BootTime{now});
  ASSERT_THAT(reports, SizeIs(1));
  EXPECT_EQ(reports[0].coverage.wire_bytes, 320'000U);
  now += 100 * kSecond;
  EXPECT_THAT(coverage.due(BootTime{now}), IsEmpty());
}

TEST_F(CoverageTest, TellsAtTheEndWhatItHas) {
  wire(1, 20'000, 0);
  ASSERT_THAT(coverage.finish(BootTime{now}), SizeIs(1));
  EXPECT_THAT(coverage.finish(BootTime{now}), IsEmpty()) << "nothing changed";
}

}  // namespace
}  // namespace aispm::sensor
