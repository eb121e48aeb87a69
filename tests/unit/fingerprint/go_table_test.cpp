// SPDX-License-Identifier: Apache-2.0
#include "sensor/fingerprint/go_table.hpp"

#include <gmock/gmock.h>

#include "sensor/fingerprint/analyse.hpp"
#include "tests/unit/fingerprint/go_program.hpp"

namespace aispm::sensor::fingerprint {
namespace {

using testing::ElementsAre;
using testing::Field;
using testing::IsEmpty;

const std::string kWithTwoReturns = kPrologue + "\x85\xc0\x74\x01\xc3\x90\xc3";

const std::vector<GoFunctionCode> kClient{{"main.main", kPrologue + "\xc3"},
                                          {"crypto/tls.(*Conn).Read", kWithTwoReturns},
                                          {"crypto/tls.(*Conn).Write", kPrologue + "\xc3"}};

class GoPrograms : public testing::TestWithParam<std::pair<bool, bool>> {};

TEST_P(GoPrograms, GiveTheirTlsFunctionsAndReturns) {
  const auto file = make_go(kClient, GetParam().first, GetParam().second);
  const MemoryBytes bytes(file);
  const auto findings = analyse(bytes, Packs::builtin().value()).value();
  ASSERT_THAT(findings, ElementsAre(Field(&Finding::library, "go")));
  EXPECT_THAT(findings[0].reasons, IsEmpty());
  ASSERT_EQ(findings[0].sites.size(), 2U);
  EXPECT_EQ(findings[0].sites[0].hook, Hook::kGoWrite);
  const Site& read = findings[0].sites[1];
  EXPECT_EQ(read.hook, Hook::kGoRead);
  EXPECT_THAT(read.returns, ElementsAre(read.address + 8, read.address + 10));
}

// With sections whether the table names where code begins or not; without them it must.
INSTANTIATE_TEST_SUITE_P(Linkers, GoPrograms,
                         testing::Values(std::pair{true, true}, std::pair{false, true},
                                         std::pair{true, false}));

TEST(GoPrograms, WithoutTlsGiveNoFinding) {
  const auto file = make_go({{"main.main", kPrologue + "\xc3"}}, true, true);
  EXPECT_THAT(analyse(MemoryBytes(file), Packs::builtin().value()).value(), IsEmpty());
}

TEST(GoPrograms, OfUnknownTablesAreNamedAndLeftAlone) {
  const auto file = make_go(kClient, true, true, 0xfffffff7);
  const auto findings = analyse(MemoryBytes(file), Packs::builtin().value()).value();
  ASSERT_EQ(findings.size(), 1U);
  EXPECT_THAT(findings[0].sites, IsEmpty());
  EXPECT_THAT(findings[0].reasons, ElementsAre(testing::HasSubstr("unknown version")));
}

TEST(GoPrograms, WhoseCodeIsElsewhereAreLeftAlone) {
  std::vector<GoFunctionCode> strange = kClient;
  strange[1].code = "\x55\xc3";  // not how Go functions begin
  const auto findings =
      analyse(MemoryBytes(make_go(strange, true, true)), Packs::builtin().value()).value();
  ASSERT_EQ(findings.size(), 1U);
  EXPECT_THAT(findings[0].sites, IsEmpty());
  EXPECT_THAT(findings[0].reasons, ElementsAre(testing::HasSubstr("not where the table says")));
}

TEST(GoPrograms, WithCodeThatCannotBeDecodedAreNotProbedInIt) {
  std::vector<GoFunctionCode> broken = kClient;
  broken[1].code = kPrologue + "\x06\xc3";  // no instruction in 64-bit mode
  const auto findings =
      analyse(MemoryBytes(make_go(broken, true, true)), Packs::builtin().value()).value();
  ASSERT_EQ(findings.size(), 1U);
  EXPECT_THAT(findings[0].sites, ElementsAre(Field(&Site::hook, Hook::kGoWrite)));
  EXPECT_THAT(findings[0].reasons, ElementsAre(testing::HasSubstr("cannot be decoded")));
}

TEST(GoPrograms, SurviveEveryCut) {
  const auto whole = make_go(kClient, true, true);
  const Packs packs = Packs::builtin().value();
  for (std::size_t size = 0; size < whole.size(); size += 37)
    (void)analyse(MemoryBytes(std::span(whole).first(size)), packs);
}

}  // namespace
}  // namespace aispm::sensor::fingerprint
