// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <cstddef>
#include <string>

// The events that the self-test makes for the sensor to see. They happen in a process of their own
// (this program, started again), because the sensor never captures its own TLS.
namespace aispm::sensor {

inline constexpr int kWorkExitCode = 7;

// What the client sends by SSL_write and by SSL_write_ex, and the server returns by the same
// functions.
inline constexpr std::size_t kWorkPlainBytes = 200;
inline constexpr std::size_t kWorkExBytes =
    40'000;  // more than one record of the kernel's and of TLS's
// Byte i of a payload: position-dependent, so that a hole, a repetition or a mix-up shows.
std::string make_payload(char seed, std::size_t size);

// Hidden option --selftest-work: "all" does everything and exits with kWorkExitCode; "kill" ends by
// SIGKILL. `linger_ms` keeps sockets and process alive that long, for /proc polling to find them.
// Prints nothing; errors go to stderr.
int run_work(const std::string& kind, int linger_ms);

}  // namespace aispm::sensor
