// SPDX-License-Identifier: Apache-2.0
#include "sensor/fingerprint/pack.hpp"

#include <gmock/gmock.h>

#include <fstream>

#include "tests/support/temp_folder.hpp"

namespace aispm::sensor::fingerprint {
namespace {

using aispm::testing::TempFolder;
using ::testing::HasSubstr;

const std::string kHead = "schema: aispm.fingerprints/v1\nversion: 1\n";
const std::string kPack =
    "error_sites:\n"
    "  - id: lib\n"
    "    source_file: lib/file.c\n"
    "    error_library: 7\n"
    "    calls:\n"
    "      - {library: rdi, reason: rsi, file: rdx, line: rcx}\n"
    "    functions:\n"
    "      - name: f\n"
    "        hook: ssl_read\n"
    "        errors: [{reason: 1}, {reason: 2, from: 3, to: 5}]\n";

TEST(Packs, AreBuiltIn) {
  const auto packs = Packs::builtin();
  ASSERT_TRUE(packs) << packs.error().message;
  EXPECT_EQ(packs->errors.size(), 2U);
  EXPECT_FALSE(packs->version.empty());
}

TEST(Packs, ReadWhatIsWritten) {
  const auto packs = Packs::parse(kHead + kPack, "one.yaml");
  ASSERT_TRUE(packs) << packs.error().message;
  ASSERT_EQ(packs->errors.size(), 1U);
  const ErrorPack& pack = packs->errors[0];
  EXPECT_EQ(pack.error_library, 7U);
  EXPECT_EQ(pack.calls[0].file, 2);  // rdx
  EXPECT_EQ(pack.calls[0].library, 7);
  ASSERT_EQ(pack.functions[0].errors.size(), 2U);
  EXPECT_EQ(pack.functions[0].errors[1].line_to, 5);
}

TEST(Packs, AreReadFromAFolder) {
  TempFolder folder;
  std::ofstream(folder.path() + "/b.yaml") << kHead + kPack;
  std::ofstream(folder.path() + "/a.yaml")
      << "schema: aispm.fingerprints/v1\nversion: 3\n"
         "go: [{name: crypto/tls.(*Conn).Write, hook: go_write}]\n";
  std::ofstream(folder.path() + "/notes.txt") << "not a pack";
  const auto packs = Packs::load(folder.path());
  ASSERT_TRUE(packs) << packs.error().message;
  EXPECT_EQ(packs->version, "3");
  EXPECT_EQ(packs->errors.size(), 1U);
  EXPECT_EQ(packs->go.size(), 1U);
}

TEST(Packs, RefuseAFolderWithoutAny) {
  TempFolder folder;
  EXPECT_EQ(Packs::load(folder.path()).error().code, Errc::kNotFound);
  EXPECT_EQ(Packs::load(folder.path() + "/missing").error().code, Errc::kUnavailable);
}

struct Wrong {
  std::string what;
  std::string content;
  std::string message;
};
class WrongPacks : public ::testing::TestWithParam<Wrong> {};

TEST_P(WrongPacks, AreRefusedWithFileAndLine) {
  const auto packs = Packs::parse(GetParam().content, "one.yaml");
  ASSERT_FALSE(packs) << GetParam().what;
  EXPECT_THAT(packs.error().message, HasSubstr(GetParam().message));
  EXPECT_THAT(packs.error().message, HasSubstr("one.yaml:"));
}

std::string with(std::string text, const std::string& from, const std::string& to) {
  return text.replace(text.find(from), from.size(), to);
}

INSTANTIATE_TEST_SUITE_P(
    Cases, WrongPacks,
    ::testing::Values(
        Wrong{"schema", "schema: other/v1\nversion: 1\n", "is not supported"},
        Wrong{"no version", "schema: aispm.fingerprints/v1\n", "version"},
        Wrong{"unknown key", kHead + "surprise: 1\n", "surprise"},
        Wrong{"hook", kHead + with(kPack, "ssl_read", "go_read"), "hook"},
        Wrong{"register", kHead + with(kPack, "rsi", "esi"), "reason"},
        Wrong{"short text", kHead + with(kPack, "lib/file.c", "a.c"), "4 to 256 bytes"},
        Wrong{"no errors", kHead + with(kPack, "[{reason: 1}, {reason: 2, from: 3, to: 5}]", "[]"),
              "1 to 16 are needed"},
        Wrong{"no anchor", kHead + kPack + "        before: {function: g, from: 1, to: 2}\n",
              "not a function above"},
        Wrong{"twice", kHead + kPack + kPack.substr(kPack.find("  - id")), "used twice"}));

}  // namespace
}  // namespace aispm::sensor::fingerprint
