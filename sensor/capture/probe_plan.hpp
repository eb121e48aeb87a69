// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <cstddef>
#include <cstdint>
#include <functional>
#include <map>
#include <memory>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <vector>

// Where to put probes into a program or library so that its TLS plaintext is seen and its callers
// pay least. No I/O but through what a planner is given.
namespace aispm::sensor {

// What a probe does. To add one from another BPF object:
//  1. append it here;
//  2. after loading the object, call TlsProbes::add_hook(hook, {entry, at_return, flags}): `entry`
//     is attached where the point says, `at_return` (may be null) as a return probe at the same
//     address. For a plain probe on a RET or any other instruction make it a hook with an `entry`
//     only. Share `connections`, `calls` and the rings by TlsProbes::lend_to(object) before loading
//     it;
//  3. return plans that use it from a Planner, and hand that to Capture::add_planner() (Capture::
//     open_tls for the built-in ones).
// bpf_get_attach_cookie() gives such a program: library | flags | point.cookie << 16, where library
// is AISPM_LIBRARY_* (8 bits), flags those of add_hook (8 bits, AISPM_PROBE_*) and cookie is the
// planner's own (struct offsets, variants).
enum class TlsHook : std::uint8_t {
  // OpenSSL and BoringSSL
  kRead,
  kWrite,
  kReadEx,
  kWriteEx,
  kWriteEx2,
  kClear,
  kClose,
  kSendFile,
  // GnuTLS
  kGnuRead,
  kGnuWrite,
  kGnuHandshake,
  kGnuHidden,
  kGnuClose,
  // NSS over NSPR
  kNssImport,
  kNssRead,
  kNssWrite,
  kNssClose,
  // rustls over aws-lc
  kAeadSeal,
  kAeadSealScatter,
  kAeadOpen,
  kAeadOpenGather,
  // Go
  kGoRead,
  kGoReadReturn,
  kGoWrite,
  kGoHandshake,
  kGoClose,
};

struct ProbePoint {
  TlsHook hook = TlsHook::kRead;
  // Virtual address. Entry and return probe share it: there the stack must still hold the return
  // address.
  std::uint64_t address = 0;
  // The kernel emulates this instruction instead of single-stepping it (5-7 times cheaper).
  bool is_emulated = false;
  std::string function;      // for people
  std::uint64_t cookie = 0;  // 48 bits of the planner's own for the BPF program
};

// How one TLS library inside one file is captured, or why it cannot be.
struct ProbePlan {
  std::string library;  // "openssl", "boringssl", "gnutls", "nss", "go", "rustls-aws-lc", ...
  std::uint8_t library_id = 0;  // AISPM_LIBRARY_*
  std::string method;           // how the functions were found: "symbols", "error codes", ...
  std::vector<ProbePoint> points;
  // Not empty: the library is there but its plaintext is not seen ("SSL_write is not unique (2
  // candidates)"). `points` is empty then. Goes to coverage.
  std::string reason;
};

// Code: at most `limit` bytes at a virtual address, fewer at the end of a segment.
using CodeAt = std::function<std::string(std::uint64_t address, std::size_t limit)>;
using Functions = std::map<std::string, std::uint64_t, std::less<>>;

// What a planner may look at: one ELF file of anybody's making. The file is read, never mapped: its
// owner may cut it meanwhile.
struct ElfSubject {
  std::string path;  // for people; may be of another mount namespace
  std::uint64_t size_bytes = 0;
  bool is_x86_64 = false;
  // Fills `into` from a file offset; returns how much there was.
  std::function<std::size_t(std::uint64_t offset, std::span<std::byte> into)> read_at;
  CodeAt code_at;              // empty where instructions cannot be judged (not x86-64)
  const Functions& functions;  // those of all planners' symbols() that this file defines
};

// Knows one kind of TLS. Immutable and thread-safe; a newer one of the same name replaces it.
class Planner {
 public:
  enum class Speed : std::uint8_t {
    kFast,  // milliseconds, from `functions` and a few hundred bytes of code
    kSlow,  // reads much of the file: runs on the low-priority thread, its answer is cached on disk
  };

  virtual ~Planner() = default;
  virtual std::string name() const = 0;
  // Part of the key of cached answers: another version analyses files again.
  virtual std::string version() const = 0;
  virtual Speed speed() const = 0;
  // Function names to look up in the symbol tables.
  virtual std::vector<std::string> symbols() const { return {}; }
  // A slow planner is asked only about files that this accepts (magic bytes, size, sections). The
  // fast ones found nothing there.
  virtual bool may_apply(const ElfSubject& /*subject*/) const { return true; }
  // Empty: nothing of this kind in the file.
  virtual std::vector<ProbePlan> plan(const ElfSubject& subject) const = 0;
};

// Finds OpenSSL, GnuTLS and NSS by their symbols, in shared libraries and in programs.
std::shared_ptr<const Planner> make_symbol_planner();

// The first instruction from `function` on that the kernel emulates and where arguments, return
// address and stack pointer are still as at the entry; `function` itself when there is none.
ProbePoint cheapest_point(const CodeAt& code, std::uint64_t function);

// The function that `function` calls first, if its first four arguments get there untouched and
// nothing branches before.
std::optional<std::uint64_t> callee_with_same_arguments(const CodeAt& code, std::uint64_t function);

// The functions that make_probe_plan() knows.
const std::vector<std::string_view>& tls_function_names();

// All probes for OpenSSL's functions. Where SSL_read_ex only passes its arguments on to the
// function that SSL_read uses too (OpenSSL 3.0 and 3.1), one probe on that function serves both,
// and it begins with instructions that are cheap to probe. `code` is empty where instructions
// cannot be judged (not x86-64): probes then sit on the entries.
std::vector<ProbePoint> make_probe_plan(const Functions& functions, const CodeAt& code);

}  // namespace aispm::sensor
