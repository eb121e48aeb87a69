// SPDX-License-Identifier: Apache-2.0
#pragma once

// toml++ 3.3 takes for granted what it did not check: "[(" in a file ends a debug build, and is
// undefined in a release. Here its assumptions are exceptions, in any build. For one source file of
// a program only: the library is compiled in where it is included.
namespace aispm {
struct BrokenTomlAssumption {};
[[noreturn]] inline void refuse_toml() { throw BrokenTomlAssumption(); }
}  // namespace aispm
#define TOML_ASSERT(claim) ((claim) ? static_cast<void>(0) : ::aispm::refuse_toml())
#pragma push_macro("NDEBUG")
#undef NDEBUG
#include <toml++/toml.h>
#pragma pop_macro("NDEBUG")
