// SPDX-License-Identifier: Apache-2.0
#pragma once

namespace aispm::sensor {

// Opens capture, makes real events in child processes, checks that each was seen with the right
// content and prints a table (feature, how it is seen, verdict, why). Returns 0 when everything was
// seen by eBPF, else 1.
int run_selftest();

}  // namespace aispm::sensor
