// SPDX-License-Identifier: Apache-2.0
#include "sensor/decode/decode.hpp"

#include <gmock/gmock.h>

#include <functional>

#include "tests/unit/sensor/records.hpp"

namespace aispm::sensor {
namespace {

using namespace std::string_literals;
using testing::ElementsAre;
using testing::HasSubstr;
using testing::SizeIs;

Result<Record> decode(const std::string& bytes) { return decode_record(records::as_span(bytes)); }

template <typename T>
T decoded(const std::string& bytes) {
  const auto record = decode(bytes);
  if (!record) {
    ADD_FAILURE() << record.error().message;
    return {};
  }
  if (const T* value = std::get_if<T>(&*record)) return *value;
  ADD_FAILURE() << "another kind of record";
  return {};
}

TEST(DecodeRecord, ReadsAnExec) {
  const Exec exec = decoded<Exec>(records::exec("python3\0bin\0usr\0"s, "python3\0-c\0pass\0"s));
  EXPECT_EQ(exec.exe, "/usr/bin/python3");
  EXPECT_THAT(exec.argv, ElementsAre("python3", "-c", "pass"));
  EXPECT_FALSE(exec.argv_truncated);
  EXPECT_EQ(exec.time.nanoseconds, 9'000'000'000U);
  EXPECT_EQ(exec.actor.id, (ProcessId{records::kPid, {records::kStart}}));
  EXPECT_EQ(exec.actor.parent, (ProcessId{1, {5}}));
  EXPECT_EQ(exec.actor.tid, records::kPid + 1);
  EXPECT_EQ(exec.actor.uid, 1000U);
  EXPECT_EQ(exec.actor.cgroup_id, 77U);
  EXPECT_EQ(exec.actor.pid_namespace, 0xf0000001U);
  EXPECT_EQ(exec.actor.comm, "python3");
}

TEST(DecodeRecord, SaysWhatAnExecCouldNotCarry) {
  const Exec cut = decoded<Exec>(
      records::exec("a\0b\0"s, "a\0par"s, AISPM_EXEC_ARGS_TRUNCATED | AISPM_EXEC_PATH_TRUNCATED));
  EXPECT_EQ(cut.exe, ".../b/a");
  EXPECT_THAT(cut.argv, ElementsAre("a", "par"));
  EXPECT_TRUE(cut.argv_truncated);
  EXPECT_TRUE(decoded<Exec>(records::exec("a\0"s, "", AISPM_EXEC_ARGS_FAULT)).argv_unreadable);
}

TEST(DecodeRecord, KeepsEmptyArguments) {
  EXPECT_THAT(decoded<Exec>(records::exec("a\0"s, "a\0\0b\0"s)).argv, ElementsAre("a", "", "b"));
}

// The collector refuses every event of a process with more.
TEST(DecodeRecord, KeepsNoMoreArgumentsThanAnEventMayCarry) {
  const Exec whole = decoded<Exec>(records::exec("a\0"s, std::string(kMaxArguments, '\0')));
  EXPECT_THAT(whole.argv, SizeIs(kMaxArguments));
  EXPECT_FALSE(whole.argv_truncated);
  const Exec cut = decoded<Exec>(records::exec("a\0"s, std::string(kMaxArguments + 1, '\0')));
  EXPECT_THAT(cut.argv, SizeIs(kMaxArguments));
  EXPECT_TRUE(cut.argv_truncated);
}

TEST(DecodeRecord, ReadsAnExit) {
  EXPECT_EQ(decoded<Exit>(records::exit(3)).exit_code, 3U);
  EXPECT_EQ(decoded<Exit>(records::exit(0, 9)).signal, 9U);
}

TEST(DecodeRecord, ReadsAListener) {
  const Listen listen = decoded<Listen>(records::bytes_of(records::listen_event(11434)));
  EXPECT_EQ(listen.socket.source.host_text(), "127.0.0.1");
  EXPECT_EQ(listen.socket.source.port, 11434);
  EXPECT_EQ(listen.actor.comm, "ollama");
}

TEST(DecodeRecord, ReadsAConnectionOfEachOutcome) {
  const std::pair<std::uint32_t, ConnectOutcome> cases[] = {
      {AISPM_CONNECT_ESTABLISHED, ConnectOutcome::kEstablished},
      {AISPM_CONNECT_FAILED, ConnectOutcome::kFailed},
      {AISPM_CONNECT_PENDING, ConnectOutcome::kPending}};
  for (const auto& [sent, expected] : cases) {
    const auto connect = decoded<Connect>(records::bytes_of(records::connect_event(443, sent)));
    EXPECT_EQ(connect.outcome, expected);
    EXPECT_EQ(connect.socket.destination.host_text(), "192.0.2.7");
    EXPECT_EQ(connect.socket.destination.port, 443);
    EXPECT_EQ(connect.socket.cookie, 99U);
    EXPECT_EQ(connect.latency_us, 1500U);
  }
}

TEST(DecodeRecord, ReadsAnIpv6Connection) {
  auto event = records::connect_event(443, AISPM_CONNECT_ESTABLISHED);
  event.socket.family = AISPM_FAMILY_INET6;
  event.socket.destination[0] = 0x20;
  event.socket.destination[1] = 0x01;
  event.socket.destination[2] = event.socket.destination[3] = 0;
  event.socket.destination[15] = 1;
  EXPECT_EQ(decoded<Connect>(records::bytes_of(event)).socket.destination.host_text(), "2001::1");
}

TEST(DecodeRecord, ReadsPlaintextOfEachDirection) {
  const TlsChunk sent = decoded<TlsChunk>(records::tls("hello", AISPM_TLS_WRITE, 100));
  EXPECT_EQ(sent.bytes, "hello");
  EXPECT_EQ(sent.direction, Direction::kWrite);
  EXPECT_EQ(sent.offset, 100U);
  EXPECT_TRUE(sent.last_of_call);
  EXPECT_TRUE(sent.from_start);
  EXPECT_EQ(sent.fd, 5);
  EXPECT_EQ(sent.key.process.pid, records::kPid);
  EXPECT_EQ(sent.key.ssl, 0x7f0000001000U);
  ASSERT_TRUE(sent.socket);
  EXPECT_EQ(sent.socket->destination.port, 443);
  EXPECT_EQ(decoded<TlsChunk>(records::tls("hi", AISPM_TLS_READ)).direction, Direction::kRead);
}

TEST(DecodeRecord, ReadsPlaintextWithoutASocket) {
  auto event = records::tls_event(2, AISPM_TLS_READ, 0);
  event.socket = {};
  EXPECT_FALSE(decoded<TlsChunk>(records::bytes_of(event, "hi")).socket);
}

TEST(DecodeRecord, ReadsTheLargestChunk) {
  const std::string text(AISPM_CHUNK_LEN, 'x');
  EXPECT_EQ(decoded<TlsChunk>(records::tls(text, AISPM_TLS_READ)).bytes, text);
}

TEST(DecodeRecord, IgnoresWhatTheRingHoldsBehindTheRecord) {
  EXPECT_EQ(decoded<TlsChunk>(records::tls("hi", AISPM_TLS_READ) + "of another one").bytes, "hi");
}

TEST(DecodeRecord, ReadsAClose) {
  const TlsClose close = decoded<TlsClose>(records::tls_close(10, 20));
  EXPECT_EQ(close.read_bytes, 10U);
  EXPECT_EQ(close.written_bytes, 20U);
}

// No record may be read beyond its end, nor be taken for complete when it is cut.
TEST(DecodeRecord, RefusesEveryRecordCutAnywhere) {
  for (const std::string& whole :
       {records::exec("a\0"s, "a\0b\0"s), records::exit(0),
        records::bytes_of(records::listen_event(1)),
        records::bytes_of(records::connect_event(1, AISPM_CONNECT_FAILED)),
        records::tls("hello", AISPM_TLS_READ), records::tls_close(1, 2)}) {
    ASSERT_TRUE(decode(whole));
    for (std::size_t size = 0; size < whole.size(); ++size) {
      const auto record = decode(whole.substr(0, size));
      ASSERT_FALSE(record) << size;
      EXPECT_EQ(record.error().code, Errc::kInvalid);
    }
  }
}

struct Malformed {
  const char* name;
  std::function<std::string()> make;
  const char* why;
};

template <typename T>
std::string changed(T event, std::string_view more, const std::function<void(T&)>& change) {
  change(event);
  return records::bytes_of(event, more);
}

class MalformedRecord : public testing::TestWithParam<Malformed> {};

TEST_P(MalformedRecord, IsRefusedWithItsReason) {
  const auto record = decode(GetParam().make());
  ASSERT_FALSE(record);
  EXPECT_EQ(record.error().code, Errc::kInvalid);
  EXPECT_THAT(record.error().message, HasSubstr(GetParam().why));
}

using TlsChange = std::function<void(aispm_tls_event&)>;
std::string bad_tls(const TlsChange& change) {
  return changed<aispm_tls_event>(records::tls_event(5, AISPM_TLS_READ, 0), "hello", change);
}
std::string bad_exec(const std::function<void(aispm_exec_event&)>& change) {
  aispm_exec_event event = records::exec_event("a\0"s, 2);
  change(event);
  return records::exec_bytes(event, "a\0"s);
}
std::string bad_connect(const std::function<void(aispm_connect_event&)>& change) {
  return changed<aispm_connect_event>(records::connect_event(1, AISPM_CONNECT_FAILED), "", change);
}

INSTANTIATE_TEST_SUITE_P(
    All, MalformedRecord,
    testing::Values(
        Malformed{
            "UnknownKind",
            [] { return records::bytes_of(records::header(200, sizeof(aispm_event_header))); },
            "unknown kind 200"},
        Malformed{"MoreThanThereIs", [] { return bad_tls([](auto& e) { e.header.size += 1; }); },
                  "more bytes than there are"},
        Malformed{"HeaderSmallerThanItself",
                  [] { return bad_tls([](auto& e) { e.header.size = 4; }); }, "shorter"},
        Malformed{"ExitLargerThanAnExit",
                  [] {
                    aispm_exit_event event{};
                    event.header = records::header(AISPM_KIND_EXIT, sizeof(event) + 1);
                    return records::bytes_of(event, "x");
                  },
                  "size of its kind"},
        Malformed{"ExecWithTooLongPath",
                  [] { return bad_exec([](auto& e) { e.path_size = AISPM_PATH_LEN + 1; }); },
                  "wrong sizes"},
        Malformed{"ExecWithTooManyArguments",
                  [] { return bad_exec([](auto& e) { e.args_size = AISPM_ARGS_LEN + 1; }); },
                  "wrong sizes"},
        Malformed{"ExecWithFewerArguments",
                  [] { return bad_exec([](auto& e) { e.args_size = 1; }); }, "wrong sizes"},
        Malformed{"ConnectOfUnknownOutcome",
                  [] { return bad_connect([](auto& e) { e.outcome = 9; }); }, "outcome"},
        Malformed{"ConnectOfUnknownFamily",
                  [] { return bad_connect([](auto& e) { e.socket.family = 1; }); }, "family"},
        Malformed{"ChunkLargerThanAChunk",
                  [] {
                    const std::string text(AISPM_CHUNK_LEN + 1, 'x');
                    return records::tls(text, AISPM_TLS_READ);
                  },
                  "wrong sizes"},
        Malformed{"EmptyChunk", [] { return records::tls("", AISPM_TLS_READ); }, "wrong sizes"},
        Malformed{"ChunkWithAnotherSize", [] { return bad_tls([](auto& e) { e.size = 4; }); },
                  "wrong sizes"},
        Malformed{"ChunkOfUnknownDirection",
                  [] { return bad_tls([](auto& e) { e.direction = 2; }); }, "direction"},
        Malformed{"ChunkOfUnknownLibrary", [] { return bad_tls([](auto& e) { e.library = 0; }); },
                  "library"},
        Malformed{"ChunkBeyondTheLastOffset",
                  [] { return bad_tls([](auto& e) { e.offset = UINT64_MAX - 2; }); }, "offset"},
        Malformed{"ChunkOnAnUnknownFamily",
                  [] { return bad_tls([](auto& e) { e.socket.family = 17; }); }, "family"}),
    [](const auto& each) { return std::string(each.param.name); });

TEST(DecodeLosses, NamesEveryCause) {
  std::array<aispm_loss, AISPM_LOSS_CAUSES> sums{};
  for (std::size_t cause = 0; cause < sums.size(); ++cause) sums[cause] = {cause + 1, cause * 100};
  const LossSnapshot snapshot = decode_losses({1}, sums);
  EXPECT_EQ(snapshot.causes.size(), sums.size());
  EXPECT_EQ(snapshot.causes.at("ring_full.data"), (Loss{2, 100}));
  EXPECT_EQ(snapshot.causes.at("length_fault"), (Loss{7, 600}));
}

}  // namespace
}  // namespace aispm::sensor
