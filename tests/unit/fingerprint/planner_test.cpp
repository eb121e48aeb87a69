// SPDX-License-Identifier: Apache-2.0
#include <gmock/gmock.h>

#include <cstring>
#include <filesystem>
#include <fstream>

#include "bpf/events.h"
#include "sensor/capture/fingerprint_planner.hpp"
#include "sensor/capture/fingerprint_source.hpp"
#include "sensor/fingerprint/file_bytes.hpp"
#include "tests/support/temp_folder.hpp"
#include "tests/unit/fingerprint/go_program.hpp"

namespace aispm::sensor {
namespace {

using aispm::testing::TempFolder;
using fingerprint::kPrologue;
using fingerprint::make_go;
using ::testing::HasSubstr;
using ::testing::IsEmpty;

std::vector<ProbePlan> plan(const Planner& planner, const std::vector<std::uint8_t>& file) {
  const Functions none;
  const ElfSubject subject{
      "program",
      file.size(),
      true,
      [&](std::uint64_t offset, std::span<std::byte> into) -> std::size_t {
        return fingerprint::MemoryBytes(file).read(
            offset, {reinterpret_cast<std::uint8_t*>(into.data()), into.size()});
      },
      [&](std::uint64_t address, std::size_t limit) {
        std::string code(limit, '\0');
        // The code is the file's end, at kCode.
        const std::size_t at = fingerprint::code_offset(file) + (address - 0x500000);
        if (at >= file.size()) return std::string();
        code.resize(std::min(limit, file.size() - at));
        std::memcpy(code.data(), file.data() + at, code.size());
        return code;
      },
      none};
  return planner.plan(subject);
}

TEST(FingerprintPlanner, ProbesGoAtTheStackCheckAndAtReturns) {
  const std::string branch("\x76\x02", 2);  // jbe
  const auto file = make_go({{"crypto/tls.(*Conn).Read", kPrologue + branch + "\xc3\x90\xc3"},
                             {"crypto/tls.(*Conn).Write", kPrologue + branch + "\x90\xc3"}},
                            true, false);
  const auto planner = make_fingerprint_planner(fingerprint::Packs::builtin().value());
  const auto plans = plan(*planner, file);
  ASSERT_EQ(plans.size(), 1U);
  EXPECT_EQ(plans[0].library_id, AISPM_LIBRARY_GO);
  std::map<TlsHook, std::vector<ProbePoint>> by_hook;
  for (const ProbePoint& point : plans[0].points) by_hook[point.hook].push_back(point);
  EXPECT_EQ(by_hook[TlsHook::kGoReadReturn].size(), 2U);
  ASSERT_EQ(by_hook[TlsHook::kGoWrite].size(), 1U);
  const ProbePoint& write = by_hook[TlsHook::kGoWrite][0];
  EXPECT_EQ(write.address % 16, 4U);  // behind the comparison
  EXPECT_TRUE(write.is_emulated);
  EXPECT_EQ(write.cookie, 1U);  // the probe comes again when the stack grows
}

TEST(FingerprintPlanner, ProbesAGoFunctionWithoutStackCheckAtItsEntry) {
  const auto file = make_go({{"crypto/tls.(*Conn).Write", kPrologue + "\x90\xc3"}}, true, false);
  const auto planner = make_fingerprint_planner(fingerprint::Packs::builtin().value());
  const auto plans = plan(*planner, file);
  ASSERT_FALSE(plans.empty());
  EXPECT_EQ(plans[0].points[0].address % 16, 0U);
  EXPECT_EQ(plans[0].points[0].cookie, 0U);
  // What is missing is said in a plan of its own.
  EXPECT_THAT(plans.back().points, IsEmpty());
  EXPECT_THAT(plans.back().reason, HasSubstr("Read is not in the program"));
}

void write_pack(const TempFolder& folder, const std::string& content, int age_seconds) {
  std::ofstream(folder / "one.yaml") << content;
  std::filesystem::last_write_time(
      folder / "one.yaml",
      std::filesystem::file_time_type::clock::now() - std::chrono::seconds(age_seconds));
}

std::string pack_of(const std::string& version) {
  return "schema: aispm.fingerprints/v1\nversion: " + version +
         "\ngo: [{name: crypto/tls.(*Conn).Write, hook: go_write}]\n";
}

TEST(FingerprintSource, ReadsAFolderAgainWhenItChanged) {
  TempFolder folder;
  write_pack(folder, pack_of("1"), 100);
  auto source = FingerprintSource::open(folder.path());
  ASSERT_TRUE(source) << source.error().message;
  EXPECT_EQ(source->version(), "1");
  EXPECT_EQ(source->look(), nullptr);
  write_pack(folder, pack_of("2"), 50);
  const auto planner = source->look();
  ASSERT_NE(planner, nullptr);
  EXPECT_EQ(source->version(), "2");
  EXPECT_THAT(planner->version(), HasSubstr("2"));
}

TEST(FingerprintSource, KeepsTheOldOnesWhereNewOnesAreWrong) {
  TempFolder folder;
  write_pack(folder, pack_of("1"), 100);
  auto source = FingerprintSource::open(folder.path());
  ASSERT_TRUE(source);
  write_pack(folder, "schema: other\nversion: 2\n", 50);
  EXPECT_EQ(source->look(), nullptr);
  EXPECT_EQ(source->version(), "1");
  EXPECT_THAT(source->why(), HasSubstr("one.yaml:1"));
  write_pack(folder, pack_of("3"), 10);
  EXPECT_NE(source->look(), nullptr);
  EXPECT_THAT(source->why(), IsEmpty());
}

TEST(FingerprintSource, RefusesAFolderThatIsNotThere) {
  const TempFolder folder;
  EXPECT_EQ(FingerprintSource::open(folder / "none").error().code, Errc::kUnavailable);
}

}  // namespace
}  // namespace aispm::sensor
