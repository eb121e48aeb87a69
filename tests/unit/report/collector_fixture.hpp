// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <gtest/gtest.h>

#include <string>

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

  aispm::testing::TempFolder folder;
  aispm::testing::FakeCollector collector;
};

}  // namespace aispm::report
