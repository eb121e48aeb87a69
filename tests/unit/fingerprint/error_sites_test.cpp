// SPDX-License-Identifier: Apache-2.0
#include <gmock/gmock.h>

#include "sensor/fingerprint/analyse.hpp"
#include "tests/unit/fingerprint/program_builder.hpp"

namespace aispm::sensor::fingerprint {
namespace {

using testing::ElementsAre;
using testing::Field;
using testing::IsEmpty;

std::vector<Finding> find_in(const std::vector<std::uint8_t>& file) {
  const MemoryBytes bytes(file);
  return analyse(bytes, Packs::builtin().value()).value();
}

// A program with an error function and functions that report to it the way clang compiles
// BoringSSL.
class BoringProgram {
 public:
  explicit BoringProgram(bool is_pie = false, bool is_old = false)
      : program(is_pie), is_pie_(is_pie), is_old_(is_old) {
    name_ = program.add_text("../../vendor/boringssl/ssl/ssl_lib.cc");
    program.code({0xc3}).align();
    put_error_ = program.here();
    program.code({0xc3}).align();
  }

  // One function that reports `errors` (reason, line). Returns its address.
  std::uint64_t add(const std::vector<std::pair<int, int>>& errors) {
    program.align();
    const std::uint64_t start = program.here();
    program.code({0x55, 0x48, 0x89, 0xe5});  // push rbp; mov rbp, rsp
    for (const auto& [reason, line] : errors) report(reason, line);
    program.code({0x5d, 0xc3});  // pop rbp; ret
    program.align();
    program.call(start);  // somebody uses it
    return start;
  }

  void compile_with_gcc() { is_gcc_ = true; }

  ProgramBuilder program;

 private:
  void report(int reason, int line) {
    if (is_gcc_) {  // sets the line before the file
      program.code({0x41, 0xb8}).word(static_cast<std::uint32_t>(line));
      program.code({0xb9}).word(static_cast<std::uint32_t>(name_));
      program.code({0xba}).word(static_cast<std::uint32_t>(reason));
      program.code({0x31, 0xf6, 0xbf}).word(16).call(put_error_);
      return;
    }
    if (is_pie_)
      program.code({0x48, 0x8d, 0x0d})
          .word(static_cast<std::uint32_t>(name_ - (program.here() + 4)));
    else
      program.code({is_old_ ? 0xba : 0xb9}).word(static_cast<std::uint32_t>(name_));
    program.code({0xbf}).word(16);             // mov edi, library
    if (!is_old_) program.code({0x31, 0xf6});  // xor esi, esi
    program.code({is_old_ ? 0xbe : 0xba}).word(static_cast<std::uint32_t>(reason));
    if (is_old_)
      program.code({0xb9});
    else
      program.code({0x41, 0xb8});
    program.word(static_cast<std::uint32_t>(line));
    program.call(put_error_);
  }

  bool is_pie_;
  bool is_old_;
  bool is_gcc_ = false;
  std::uint64_t name_ = 0;
  std::uint64_t put_error_ = 0;
};

const std::vector<std::pair<int, int>> kWriteErrors{{66, 953}, {226, 958}, {215, 973}, {111, 979}};

class ErrorSites : public testing::TestWithParam<std::pair<bool, bool>> {};

TEST_P(ErrorSites, FindBothFunctionsOfBoringSsl) {
  BoringProgram made(GetParam().first, GetParam().second);
  made.add({{66, 400}, {182, 405}});
  const std::uint64_t read = made.add({{66, 931}, {226, 840}});
  const std::uint64_t write = made.add(kWriteErrors);
  made.add({{66, 1700}});
  const auto findings = find_in(made.program.build());
  ASSERT_THAT(findings, ElementsAre(Field(&Finding::library, "boringssl")));
  EXPECT_THAT(findings[0].reasons, IsEmpty());
  ASSERT_EQ(findings[0].sites.size(), 2U);
  EXPECT_EQ(findings[0].sites[0].hook, Hook::kSslWrite);
  EXPECT_EQ(findings[0].sites[0].address, write);
  EXPECT_EQ(findings[0].sites[1].hook, Hook::kSslRead);
  EXPECT_EQ(findings[0].sites[1].address, read);
  EXPECT_EQ(findings[0].sites[1].file_offset - findings[0].sites[0].file_offset, read - write);
}

// Fixed or relocatable; the error function of 2025 or the one before.
INSTANTIATE_TEST_SUITE_P(Layouts, ErrorSites,
                         testing::Values(std::pair{false, false}, std::pair{true, false},
                                         std::pair{false, true}));

TEST(ErrorSites, ReadConstantsThatAreSetBeforeTheFile) {
  BoringProgram made;
  made.compile_with_gcc();
  made.add({{66, 931}});
  made.add(kWriteErrors);
  const auto findings = find_in(made.program.build());
  ASSERT_EQ(findings.size(), 1U);
  EXPECT_THAT(findings[0].reasons, IsEmpty());
  EXPECT_EQ(findings[0].sites.size(), 2U);
}

TEST(ErrorSites, SayWhenTwoFunctionsFitAndProbeNeither) {
  BoringProgram made;
  made.add({{66, 931}});
  made.add(kWriteErrors);
  made.add(kWriteErrors);
  const auto findings = find_in(made.program.build());
  ASSERT_EQ(findings.size(), 1U);
  EXPECT_THAT(findings[0].sites, IsEmpty());
  EXPECT_THAT(findings[0].reasons,
              ElementsAre("boringssl: SSL_write not unique (2 candidates)",
                          "boringssl: SSL_read is found by SSL_write, which is not found"));
}

TEST(ErrorSites, TakeTheWritesWhereTheReadsAreNotKnown) {
  BoringProgram made;
  made.add({{66, 953 - 60}});  // too far above
  const std::uint64_t write = made.add(kWriteErrors);
  const auto findings = find_in(made.program.build());
  ASSERT_EQ(findings.size(), 1U);
  EXPECT_THAT(findings[0].sites, ElementsAre(Field(&Site::address, write)));
  EXPECT_THAT(findings[0].reasons, ElementsAre("boringssl: SSL_read is not found"));
}

TEST(ErrorSites, IgnoreOtherLibrariesErrors) {
  BoringProgram made;
  // The same reasons, but a line too many between them.
  made.add({{66, 953}, {226, 1058}, {215, 973}, {111, 979}});
  const auto findings = find_in(made.program.build());
  ASSERT_EQ(findings.size(), 1U);
  EXPECT_THAT(findings[0].sites, IsEmpty());
}

TEST(ErrorSites, FindNothingInProgramsWithoutTheLibrary) {
  ProgramBuilder plain;
  plain.code({0xc3});
  EXPECT_THAT(find_in(plain.build()), IsEmpty());
}

TEST(ErrorSites, NameRustlsWhereItsCipherCodeIsUnknown) {
  ProgramBuilder program;
  program.add_text("/root/.cargo/registry/src/index/rustls-0.23.40/src/conn.rs");
  program.code({0xc3});
  const auto findings = find_in(program.build());
  ASSERT_THAT(findings, ElementsAre(Field(&Finding::library, "rustls")));
  EXPECT_THAT(findings[0].sites, IsEmpty());
  EXPECT_THAT(findings[0].reasons, ElementsAre(testing::HasSubstr("rustls without aws-lc")));
}

TEST(Analysis, RefusesWhatIsNoProgram) {
  const std::vector<std::uint8_t> text{'#', '!', '/', 'b', 'i', 'n', '/', 's', 'h'};
  EXPECT_EQ(analyse(MemoryBytes(text), Packs::builtin().value()).error().code, Errc::kInvalid);
  ProgramBuilder plain;
  plain.code({0xc3});
  std::vector<std::uint8_t> arm = plain.build();
  arm[offsetof(Elf64_Ehdr, e_machine)] = EM_AARCH64;
  EXPECT_EQ(analyse(MemoryBytes(arm), Packs::builtin().value()).error().code, Errc::kUnsupported);
}

TEST(Analysis, SurvivesEveryCut) {
  BoringProgram made;
  made.add({{66, 931}});
  made.add(kWriteErrors);
  const std::vector<std::uint8_t> whole = made.program.build();
  const Packs packs = Packs::builtin().value();
  for (std::size_t size = 0; size < whole.size(); size += 61) {
    const auto cut = analyse(MemoryBytes(std::span(whole).first(size)), packs);
    if (!cut) continue;
    for (const Finding& finding : *cut)
      for (const Site& site : finding.sites) EXPECT_LT(site.file_offset, size);
  }
}

}  // namespace
}  // namespace aispm::sensor::fingerprint
