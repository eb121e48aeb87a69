// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <cstddef>

// The last steps of a waiting agent process, when its sandbox is taken: streams, limits, Landlock,
// seccomp. Plain system calls, no memory is asked for, no libc: the same source is linked into
// aispm-pool and, as a small shared object, loaded by a waiting Python interpreter.
extern "C" {
#pragma GCC visibility push(default)

// Says on `setup` that this process waits. 0, or -1.
int aispm_enter_ready(int setup);

// Waits on `setup` for kEnter, performs it, hands out the seccomp listener and waits for kGo. Then
// only 0, 1, 2, `setup` and the file it returns are open: what to run (EnterHeader). The caller
// closes both before the agent's code.
// Ends the process when it cannot, saying why on `setup`, or when the other end is gone.
// `setup` must be 3.
int aispm_enter(int setup);
#pragma GCC visibility pop
}
