// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <cstdint>
#include <functional>
#include <map>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

// Where to put probes into a TLS library so that its callers pay least. No I/O.
namespace aispm::sensor {

enum class TlsHook : std::uint8_t { kRead, kWrite, kReadEx, kWriteEx, kClear, kClose };

struct ProbePoint {
  TlsHook hook = TlsHook::kRead;
  std::uint64_t address =
      0;  // entry and return probe share it: there the stack still holds the return address
  bool is_emulated = false;  // the kernel emulates this instruction instead of single-stepping it
                             // (5-7 times cheaper)
  std::string function;
};

// Code of the library: at most `limit` bytes at a virtual address, fewer at the end of a segment.
using CodeAt = std::function<std::string(std::uint64_t address, std::size_t limit)>;
using Functions = std::map<std::string, std::uint64_t, std::less<>>;

// The functions that make_probe_plan() knows.
const std::vector<std::string_view>& tls_function_names();

// The first instruction from `function` on that the kernel emulates and where arguments, return
// address and stack pointer are still as at the entry; `function` itself when there is none.
ProbePoint cheapest_point(const CodeAt& code, std::uint64_t function);

// The function that `function` calls first, if its first four arguments get there untouched and
// nothing branches before.
std::optional<std::uint64_t> callee_with_same_arguments(const CodeAt& code, std::uint64_t function);

// All probes for a library. Where SSL_read_ex only passes its arguments on to the function that
// SSL_read uses too (OpenSSL 3.0 and 3.1), one probe on that function serves both, and it begins
// with instructions that are cheap to probe. `code` is empty where instructions cannot be judged
// (not x86-64): probes then sit on the entries.
std::vector<ProbePoint> make_probe_plan(const Functions& functions, const CodeAt& code);

}  // namespace aispm::sensor
