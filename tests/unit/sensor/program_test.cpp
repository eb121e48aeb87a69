// SPDX-License-Identifier: Apache-2.0
// The program's command line: what needs no root.
#include <gmock/gmock.h>
#include <sys/wait.h>

#include <array>
#include <cstdio>
#include <fstream>
#include <string>

#include "tests/support/temp_folder.hpp"

namespace aispm::sensor {
namespace {

using ::testing::HasSubstr;

struct Ran {
  int code = -1;
  std::string output;  // of both kinds
};

Ran run(const std::string& arguments) {
  Ran ran;
  std::FILE* pipe = ::popen((AISPM_BIN_DIR "/aispm-sensord " + arguments + " 2>&1").c_str(), "r");
  if (pipe == nullptr) return ran;
  std::array<char, 4096> buffer;
  for (std::size_t size; (size = std::fread(buffer.data(), 1, buffer.size(), pipe)) > 0;)
    ran.output.append(buffer.data(), size);
  const int status = ::pclose(pipe);
  if (WIFEXITED(status)) ran.code = WEXITSTATUS(status);
  return ran;
}

class SensorProgram : public ::testing::Test {
 protected:
  std::string write(const std::string& content) {
    const std::string path = folder_ / "sensord.yaml";
    std::ofstream(path) << content;
    return path;
  }
  aispm::testing::TempFolder folder_;
};

TEST_F(SensorProgram, EndsWithTwoAndNamesTheLineOfAnUnknownKey) {
  const std::string path = write("collector: a:1\ncapure: auto\n");
  for (const char* more : {" --check-config", "", " --stdout"}) {
    const Ran ran = run("--config " + path + more);
    EXPECT_EQ(ran.code, 2) << more;
    EXPECT_THAT(ran.output, HasSubstr(path + ":2: ")) << more;
    EXPECT_THAT(ran.output, HasSubstr("capure")) << more;
  }
}

TEST_F(SensorProgram, AcceptsAGoodConfiguration) {
  const Ran ran = run("--check-config --config " + write("collector: a:1\n"));
  EXPECT_EQ(ran.code, 0);
  EXPECT_THAT(ran.output, HasSubstr("ok"));
}

TEST_F(SensorProgram, EndsWithTwoWhenTheNamedFileIsMissing) {
  const Ran ran = run("--config " + (folder_ / "missing.yaml"));
  EXPECT_EQ(ran.code, 2);
  EXPECT_THAT(ran.output, HasSubstr("missing.yaml"));
}

TEST_F(SensorProgram, EndsWithTwoOnWrongUsage) {
  EXPECT_EQ(run("--no-such-option").code, 2);
  EXPECT_EQ(run("--capture kprobe").code, 2);
}

TEST_F(SensorProgram, TellsItsVersionAndItsOptions) {
  const Ran version = run("--version");
  EXPECT_EQ(version.code, 0);
  EXPECT_THAT(version.output, HasSubstr("aispm-sensord "));
  const Ran help = run("--help");
  EXPECT_EQ(help.code, 0);
  EXPECT_THAT(help.output, HasSubstr("--selftest"));
}

}  // namespace
}  // namespace aispm::sensor
