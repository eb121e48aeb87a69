// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <algorithm>
#include <cstdio>
#include <cstdlib>
#include <functional>
#include <string>
#include <vector>

namespace aispm::bench {

[[noreturn]] inline void give_up(const char* what) {
  std::fprintf(stderr, "bench_codec: %s failed\n", what);
  std::exit(1);
}

struct Case {
  std::string name;
  std::function<void()> run;
  std::string peer;   // our cost should not exceed this case's
  double target = 0;  // nanoseconds, 0 = none
  std::vector<double> rounds = {};

  double median() {
    std::sort(rounds.begin(), rounds.end());
    return rounds[rounds.size() / 2];
  }
};

// HTTP/2, WebSocket, content codings, MCP and the streams of other dialects.
void add_protocol_cases(std::vector<Case>& cases);

}  // namespace aispm::bench
