// SPDX-License-Identifier: Apache-2.0
// Results, hashes, ids, time, secrets and UTF-8.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <algorithm>
#include <set>
#include <thread>
#include <vector>

#include "sdk/core/common/crypto.hpp"
#include "sdk/core/common/id.hpp"
#include "sdk/core/common/result.hpp"
#include "sdk/core/common/secret.hpp"
#include "sdk/core/common/time.hpp"
#include "sdk/core/common/utf8.hpp"

namespace aispm {
namespace {

using ::testing::HasSubstr;
using ::testing::MatchesRegex;

Result<int> half(int number) {
  if (number % 2 != 0) return fail(Errc::kInvalid, std::to_string(number) + " is odd");
  return number / 2;
}
Result<int> quarter(int number) {
  AISPM_TRY(const int first, half(number));
  AISPM_TRY(const int second, half(first));
  return second;
}
Result<> check_quarter(int number) {
  AISPM_CHECK(quarter(number));
  return {};
}

TEST(Result, TryGivesTheValueOrPassesTheErrorOn) {
  EXPECT_EQ(quarter(12).value(), 3);
  EXPECT_EQ(quarter(6).error().message, "3 is odd");
  EXPECT_TRUE(check_quarter(8));
  EXPECT_EQ(check_quarter(5).error().code, Errc::kInvalid);
}

TEST(Result, ErrnoBecomesACodeTheCallerCanActOn) {
  struct Case {
    int number;
    Errc code;
  };
  for (const auto& [number, code] :
       {Case{ENOENT, Errc::kNotFound}, Case{EACCES, Errc::kDenied}, Case{ENOSPC, Errc::kExhausted},
        Case{EEXIST, Errc::kExists}, Case{ENOSYS, Errc::kUnsupported},
        Case{EIO, Errc::kUnavailable}, Case{ETIMEDOUT, Errc::kDeadlineExceeded},
        Case{E2BIG, Errc::kTooLarge}}) {
    const Error error = fail_errno("open x", number).value();
    EXPECT_EQ(error.code, code) << number;
    EXPECT_EQ(error.system_errno, number);
    EXPECT_THAT(error.message, HasSubstr("open x: "));
  }
}

TEST(Result, EveryCodeHasANameOfItsOwn) {
  std::set<std::string_view> names;
  for (int code = 0; code <= static_cast<int>(Errc::kInternal); ++code)
    names.insert(name_of(static_cast<Errc>(code)));
  EXPECT_EQ(names.size(), static_cast<std::size_t>(Errc::kInternal) + 1);
}

// FIPS 180-4 examples.
TEST(Sha256, AgreesWithTheStandard) {
  EXPECT_EQ(sha256_hex("abc"), "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad");
  EXPECT_EQ(sha256_hex(""), "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855");
}

TEST(Sha256, PiecesGiveTheHashOfTheWhole) {
  const std::string whole(1000, 'x');
  for (const std::size_t cut : {0U, 1U, 63U, 64U, 65U, 999U, 1000U}) {
    Sha256Stream stream;
    stream.update(std::string_view(whole).substr(0, cut));
    stream.update(std::string_view(whole).substr(cut));
    EXPECT_EQ(stream.finish_hex(), sha256_hex(whole)) << cut;
  }
}

TEST(Sha256, AMovedStreamGoesOn) {
  Sha256Stream first;
  first.update("a");
  Sha256Stream second = std::move(first);
  second.update("bc");
  EXPECT_EQ(second.finish_hex(), sha256_hex("abc"));
}

TEST(ConstantTime, ComparesAsEqualityDoes) {
  EXPECT_TRUE(equal_in_constant_time("", ""));
  EXPECT_TRUE(equal_in_constant_time("key", "key"));
  EXPECT_FALSE(equal_in_constant_time("key", "kez"));
  EXPECT_FALSE(equal_in_constant_time("key", "ke"));
}

TEST(Id, UuidsAreVersion7AndDistinctAcrossThreads) {
  EXPECT_THAT(make_uuid(),
              MatchesRegex("[0-9a-f]{8}-[0-9a-f]{4}-7[0-9a-f]{3}-[89ab][0-9a-f]{3}-[0-9a-f]{12}"));
  constexpr std::size_t kEach = 5000;
  std::vector<std::string> ids(4 * kEach);
  std::vector<std::thread> threads;
  for (std::size_t thread = 0; thread < 4; ++thread)
    threads.emplace_back([&ids, thread] {
      for (std::size_t i = 0; i < kEach; ++i) ids[thread * kEach + i] = make_uuid();
    });
  for (std::thread& thread : threads) thread.join();
  EXPECT_EQ(std::set<std::string>(ids.begin(), ids.end()).size(), ids.size());
}

TEST(Id, UuidsSortByTheMillisecondTheyWereMadeIn) {
  const auto before = static_cast<std::uint64_t>(wall_now().nanoseconds / 1'000'000);
  const std::string id = make_uuid();
  const auto after = static_cast<std::uint64_t>(wall_now().nanoseconds / 1'000'000);
  const std::uint64_t stamp = std::stoull(id.substr(0, 8) + id.substr(9, 4), nullptr, 16);
  EXPECT_GE(stamp, before);
  EXPECT_LE(stamp, after);
}

TEST(Id, TraceAndSpanIdsHaveTheLengthsOfW3c) {
  EXPECT_THAT(make_trace_id(), MatchesRegex("[0-9a-f]{32}"));
  EXPECT_THAT(make_span_id(), MatchesRegex("[0-9a-f]{16}"));
  EXPECT_NE(make_trace_id(), make_trace_id());
}

TEST(Id, TokensAreUrlSafeAndAsLongAsTheirBytes) {
  EXPECT_EQ(make_token(0), "");
  EXPECT_EQ(make_token(1).size(), 2U);
  EXPECT_EQ(make_token(3).size(), 4U);
  EXPECT_THAT(make_token(32), MatchesRegex("[A-Za-z0-9_-]{43}"));
  EXPECT_NE(make_token(32), make_token(32));
}

TEST(Id, HexIsLowerCaseInOrder) {
  const std::uint8_t bytes[] = {0x00, 0x9f, 0xff};
  EXPECT_EQ(to_hex(bytes), "009fff");
}

TEST(Time, Rfc3339HasMicrosecondsAndUtc) {
  EXPECT_EQ(to_rfc3339({0}), "1970-01-01T00:00:00.000000Z");
  EXPECT_EQ(to_rfc3339({1'795'232'700'123'456'789}), "2026-11-21T03:45:00.123456Z");
  EXPECT_EQ(to_rfc3339({-1}), "1969-12-31T23:59:59.999999Z");
}

TEST(Time, TheConverterMeetsBothClocks) {
  const ClockConverter converter;
  const WallTime before = wall_now();
  const WallTime converted = converter.to_wall(boot_now());
  // Both clocks advance alike; a second leaves room for a clock step between the two readings.
  EXPECT_LT(std::abs(converted.nanoseconds - before.nanoseconds), 1'000'000'000);
}

TEST(Utf8, LeavesUtf8AsItIsAndReplacesEachBadByte) {
  struct Case {
    const char* bytes;
    const char* text;
  };
  for (const auto& [bytes, text] : {
           Case{"plain", "plain"},
           Case{"caf\xc3\xa9 \xe6\xbc\xa2 \xf0\x9f\x98\x80",
                "caf\xc3\xa9 \xe6\xbc\xa2 \xf0\x9f\x98\x80"},
           Case{"\xff", "\xef\xbf\xbd"}, Case{"\xc0\x80", "\xef\xbf\xbd\xef\xbf\xbd"},  // overlong
           Case{"\xed\xa0\x80", "\xef\xbf\xbd\xef\xbf\xbd\xef\xbf\xbd"},                // surrogate
           Case{"\xf4\x90\x80\x80",
                "\xef\xbf\xbd\xef\xbf\xbd\xef\xbf\xbd\xef\xbf\xbd"},  // above U+10FFFF
           Case{"\xe6\xbc", "\xef\xbf\xbd\xef\xbf\xbd"},              // cut short
       })
    EXPECT_EQ(to_utf8(bytes), text);
}

TEST(Secret, IsReadOnlyThroughExpose) {
  const Secret secret(std::string("value"));
  EXPECT_EQ(secret.expose(), "value");
  EXPECT_TRUE(Secret().empty());
  EXPECT_FALSE((std::is_convertible_v<Secret, std::string>));
  EXPECT_FALSE((std::is_convertible_v<Secret, std::string_view>));
}

TEST(Secret, AssignmentReplacesTheValue) {
  Secret secret(std::string("first"));
  secret = Secret(std::string("second"));
  EXPECT_EQ(secret.expose(), "second");
}

}  // namespace
}  // namespace aispm
