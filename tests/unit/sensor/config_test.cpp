// SPDX-License-Identifier: Apache-2.0
#include "sensor/config.hpp"

#include <gmock/gmock.h>

#include <fstream>

#include "tests/support/temp_folder.hpp"

namespace aispm::sensor {
namespace {

using ::testing::ElementsAre;
using ::testing::HasSubstr;
using ::testing::StartsWith;

TEST(SensorConfig, KeepsNoPoolUnlessAsked) {
  EXPECT_FALSE(parse_config("", "sensord.yaml")->pool.is_on);
  const auto config = parse_config(
      "pool: {enabled: true, program: /opt/aispm-pool, socket: /run/p.sock, entries: 3, "
      "max_entries: 9}",
      "sensord.yaml");
  ASSERT_TRUE(config) << config.error().message;
  EXPECT_TRUE(config->pool.is_on);
  EXPECT_EQ(config->pool.program, "/opt/aispm-pool");
  EXPECT_EQ(config->pool.socket, "/run/p.sock");
  EXPECT_EQ(config->pool.entries, 3);
  EXPECT_EQ(config->pool.max_entries, 9);
  for (const char* wrong : {"pool: {entries: 0}", "pool: {max_entries: 1025}", "pool: {size: 1}",
                            "pool: {program: aispm-pool}", "pool: {socket: here}"})
    EXPECT_FALSE(parse_config(wrong, "sensord.yaml")) << wrong;
}

TEST(SensorConfig, HasADefaultForEveryKey) {
  const auto config = parse_config("", "sensord.yaml");
  ASSERT_TRUE(config) << config.error().message;
  EXPECT_EQ(config->collector, "127.0.0.1:7443");
  EXPECT_EQ(config->capture, CaptureMode::kAuto);
  EXPECT_EQ(config->rings.data_bytes, RingSizes().data_bytes);
  EXPECT_FALSE(config->store_text);
  EXPECT_TRUE(config->sanctioned_executables.empty());
  EXPECT_EQ(config->enrolment_token.expose(), "");
}

TEST(SensorConfig, ReadsEveryKey) {
  const auto config = parse_config(R"(collector: collector.example:7443
state_folder: /srv/aispm
enrolment_token: one.two
spool_cap: 16MiB
capture: proc
control_ring: 1MiB
data_ring: 8MiB
signatures: /etc/aispm/signatures
store_text: true
health_interval: 2s
sanctioned:
  - {exe: /usr/bin/approved}
  - {exe: /opt/agents/}
)",
                                   "sensord.yaml");
  ASSERT_TRUE(config) << config.error().message;
  EXPECT_EQ(config->collector, "collector.example:7443");
  EXPECT_EQ(config->state_folder, "/srv/aispm");
  EXPECT_EQ(config->enrolment_token.expose(), "one.two");
  EXPECT_EQ(config->spool_cap_bytes, 16U << 20);
  EXPECT_EQ(config->capture, CaptureMode::kProc);
  EXPECT_EQ(config->rings.control_bytes, 1U << 20);
  EXPECT_EQ(config->rings.data_bytes, 8U << 20);
  EXPECT_EQ(config->signatures, "/etc/aispm/signatures");
  EXPECT_TRUE(config->store_text);
  EXPECT_EQ(config->health_interval, std::chrono::seconds(2));
  EXPECT_THAT(config->sanctioned_executables, ElementsAre("/usr/bin/approved", "/opt/agents/"));
}

TEST(SensorConfig, TakesTheTokenFromAFileWithoutItsLineEnd) {
  const aispm::testing::TempFolder folder;
  std::ofstream(folder / "token") << "one.two \r\n";
  const auto config = parse_config("enrolment_token_file: " + (folder / "token"), "sensord.yaml");
  ASSERT_TRUE(config) << config.error().message;
  EXPECT_EQ(config->enrolment_token.expose(), "one.two");
}

TEST(SensorConfig, ReadsWhereTheGatewayIs) {
  const auto config = parse_config("gateway: [GW.example, \"[::1]:8088\"]\n", "sensord.yaml");
  ASSERT_TRUE(config) << config.error().message;
  ASSERT_EQ(config->gateways.size(), 2U);
  EXPECT_EQ(config->gateways[0].host, "gw.example");
  EXPECT_EQ(config->gateways[1].host, "::1");
  EXPECT_EQ(config->gateways[1].port, 8088);
}

// The file is needed once only; what is missing then is the reporter's to say.
TEST(SensorConfig, AcceptsATokenFileThatIsGone) {
  const auto config = parse_config("enrolment_token_file: /nonexistent/token", "sensord.yaml");
  ASSERT_TRUE(config) << config.error().message;
  EXPECT_EQ(config->enrolment_token.expose(), "");
}

struct BadConfig {
  const char* content;
  const char* where;
  const char* what;
};

class SensorConfigErrors : public ::testing::TestWithParam<BadConfig> {};

TEST_P(SensorConfigErrors, NameTheLineAndTheKey) {
  const auto config = parse_config(GetParam().content, "sensord.yaml");
  ASSERT_FALSE(config);
  EXPECT_EQ(config.error().code, Errc::kInvalid);
  EXPECT_THAT(config.error().message, StartsWith(GetParam().where));
  EXPECT_THAT(config.error().message, HasSubstr(GetParam().what));
}

INSTANTIATE_TEST_SUITE_P(
    All, SensorConfigErrors,
    ::testing::Values(
        BadConfig{"colector: a:1\n", "sensord.yaml:1: ", "colector"},
        BadConfig{"collector: a:1\nstore_text: maybe\n", "sensord.yaml:2: ", "store_text"},
        BadConfig{"\ncapture: kprobe\n", "sensord.yaml:2: ", "ebpf"},
        BadConfig{"data_ring: 2GiB\n", "sensord.yaml:1: ", "data_ring"},
        BadConfig{"data_ring: many\n", "sensord.yaml:1: ", "data_ring"},
        BadConfig{"spool_cap: -1\n", "sensord.yaml:1: ", "spool_cap"},
        BadConfig{"state_folder: here\n", "sensord.yaml:1: ", "absolute"},
        BadConfig{"health_interval: 1ms\n", "sensord.yaml:1: ", "100ms to 1h"},
        BadConfig{"health_interval: 2h\n", "sensord.yaml:1: ", "100ms to 1h"},
        BadConfig{"enrolment_token: a\nenrolment_token_file: /b\n", "sensord.yaml:1: ", "either"},
        BadConfig{"sanctioned:\n  - {exe: here}\n", "sensord.yaml:2: ", "absolute"},
        BadConfig{"sanctioned:\n  - {path: /x}\n", "sensord.yaml:2: ", "exe"},
        BadConfig{"sanctioned:\n  - {exe: /x, uid: 3}\n", "sensord.yaml:2: ", "uid"},
        BadConfig{"gateway: [\"a b\"]\n", "sensord.yaml:1: ", "host name or an address"},
        BadConfig{"gateway: [\"a:0\"]\n", "sensord.yaml:1: ", "between 1 and 65535"},
        BadConfig{"gateway: a:1\n", "sensord.yaml:1: ", "list"},
        BadConfig{"sanctioned: /usr/bin/x\n", "sensord.yaml:1: ", "sanctioned"},
        BadConfig{"- a\n- b\n", "sensord.yaml:1: ", ""},
        BadConfig{"collector: [\n", "sensord.yaml:", ""}));

TEST(SensorConfig, NamesAFileThatIsNotThere) {
  const auto config = load_config("/nonexistent/sensord.yaml");
  ASSERT_FALSE(config);
  EXPECT_THAT(config.error().message, HasSubstr("/nonexistent/sensord.yaml"));
}

}  // namespace
}  // namespace aispm::sensor
