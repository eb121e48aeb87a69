// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

#include "sdk/core/common/result.hpp"

namespace aispm {
class YamlMap;
}

namespace aispm::sensor::fingerprint {

// What a function found in a stripped program is good for.
enum class Hook : std::uint8_t {
  kSslRead,
  kSslWrite,
  kAeadSeal,         // tag behind the ciphertext
  kAeadSealScatter,  // tag in a place of its own
  kAeadOpen,
  kAeadOpenGather,
  kGoRead,
  kGoWrite,
  kGoHandshake,
  kGoClose,
};
std::string_view name_of(Hook hook);

// One report of an error within a function; lines count from the function's first rule.
struct ErrorRule {
  std::uint32_t reason = 0;
  std::int64_t line_from = 0;
  std::int64_t line_to = 0;
};

// A function known by the errors that it reports.
struct FunctionRule {
  std::string name;
  Hook hook = Hook::kSslRead;
  std::vector<ErrorRule> errors;
  std::string before;  // its first error's line is this many lines before that of another function
  std::int64_t before_from = 0;
  std::int64_t before_to = 0;
  bool only_these = false;           // the function reports nothing else
  std::vector<std::string> symbols;  // endings of its name where the program has names
};

// Where a library's error function takes its arguments: ModRM register numbers.
struct ErrorCall {
  std::uint8_t library = 0;
  std::uint8_t reason = 0;
  std::uint8_t file = 0;
  std::uint8_t line = 0;
};

struct ErrorPack {
  std::string id;           // the library's name in reports
  std::string source_file;  // ending of the file name that its errors carry
  std::uint32_t error_library = 0;
  std::vector<ErrorCall> calls;
  std::vector<FunctionRule> functions;
};

struct GoFunction {
  std::string name;  // with package path
  Hook hook = Hook::kGoRead;
};

// A text that shows a library nobody can read from; said where no finding of `unless` explains the
// program's traffic.
struct Mark {
  std::string id;
  std::string text;
  std::string unless;  // an ErrorPack's id
  std::string reason;
};

// What is known of programs' inner functions: data, so that a new build of a program needs a new
// file and not a new sensor. Immutable once read.
struct Packs {
  static constexpr std::string_view kSchema = "aispm.fingerprints/v1";
  static constexpr std::size_t kMaxFiles = 64;
  static constexpr std::size_t kMaxPacks = 64;      // of each kind
  static constexpr std::size_t kMaxFunctions = 16;  // of one pack
  static constexpr std::size_t kMaxErrors = 16;     // of one function
  static constexpr std::size_t kMaxText = 256;      // bytes of one text that is searched for

  std::string version;  // the newest of the files read
  std::vector<ErrorPack> errors;
  std::vector<GoFunction> go;
  std::vector<Mark> marks;

  // The packs that this version was built with.
  static Result<Packs> builtin();
  // All *.yaml of a folder, in order of name. Errors read `file:line: what is wrong`.
  static Result<Packs> load(const std::string& folder);
  static Result<Packs> parse(const std::string& content, const std::string& name);
};

}  // namespace aispm::sensor::fingerprint
