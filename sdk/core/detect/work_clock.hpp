// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <chrono>

namespace aispm::detect {

// Time that this thread has worked: what budgets of work are measured in. A busy host, which lets a
// thread wait, does not use them up. Exact to a millisecond, never goes back, and as cheap as the
// steady clock: the kernel is asked at most once in that time. Only differences on one thread mean
// anything.
std::chrono::steady_clock::time_point work_now();

}  // namespace aispm::detect
