// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <gtest/gtest.h>

#include <string>

#include "sdk/core/common/file.hpp"
#include "sdk/core/report/reporter.hpp"
#include "tests/support/fake_collector.hpp"
#include "tests/support/temp_folder.hpp"

namespace aispm::report {

// A collector in this process, and a component's state folder.
class CollectorFixture : public ::testing::Test {
 protected:
  ReporterOptions options(const std::string& token = "") {
    ReporterOptions made;
    made.component = "sensord";
    made.version = "0.1.0";
    made.collector = collector.address();
    made.state_folder = folder / "state";
    made.enrolment_token = token;
    return made;
  }

  // Turns one bit of the last byte of a file in the state folder.
  void damage(const std::string& name) {
    const std::string path = folder / ("state/" + name);
    std::string content = read_file(path, 1U << 20).value();
    content.back() = static_cast<char>(content.back() ^ 1);
    ASSERT_TRUE(write_file_atomically(path, content, 0600));
  }

  aispm::testing::TempFolder folder;
  aispm::testing::FakeCollector collector;
};

}  // namespace aispm::report
