// SPDX-License-Identifier: Apache-2.0
#pragma once

namespace aispm::sensor {

// The daemon's own memory, which for days is that of an idle program though starting it takes much
// more: compiled patterns, symbol tables, signatures.

// Sets the allocator up so that large blocks go back to the kernel when freed. Call before there
// are threads.
void use_little_memory();

// Gives freed memory back. About a millisecond.
void release_freed_memory();

// Gives back what only starting needed: freed memory, and the pages of program and libraries
// mapped so far. The kernel maps those that are used again from its page cache.
void release_starting_memory();

}  // namespace aispm::sensor
