// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <string>

namespace aispm::sensor {

struct Arguments {
  std::string config = "/etc/aispm/sensord.yaml";
  bool has_config = false;  // given on the command line: then it must exist
  bool checks_config = false;
  bool prints_events = false;  // --stdout
  bool runs_selftest = false;
  bool removes_pins = false;
  std::string selftest_work;     // hidden: makes the events of the self-test
  std::string selftest_library;  // hidden: drives this library for the self-test
  int selftest_linger_ms = 0;
  std::string capture;  // overrides the configured mode
};

// Runs the program to its end. Exit codes: 0 done, 1 failed, 2 wrong usage or configuration.
int run_app(const Arguments& arguments);

}  // namespace aispm::sensor
