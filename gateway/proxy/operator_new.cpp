// SPDX-License-Identifier: Apache-2.0
// The gateway's `new` and `delete`: malloc's, and on its workers' threads what they gave back
// before. Arrays and the forms that do not throw come here, too; aligned ones do not. Not part of
// builds with sanitizers, which watch malloc.
#include <cstdlib>
#include <new>

#include "gateway/net/recycled_memory.hpp"

using aispm::net::RecycledMemory;

void* operator new(std::size_t bytes) {
  if (RecycledMemory* const kept = RecycledMemory::current())
    if (void* const memory = kept->take(bytes)) return memory;
  const std::size_t rounded = RecycledMemory::rounded(bytes);
  while (true) {
    if (void* const memory = std::malloc(rounded)) return memory;
    const std::new_handler handler = std::get_new_handler();
    if (handler == nullptr) throw std::bad_alloc();
    handler();
  }
}

void operator delete(void* memory) noexcept {
  if (memory == nullptr) return;
  if (RecycledMemory* const kept = RecycledMemory::current())
    if (kept->give(memory)) return;
  std::free(memory);
}

void operator delete(void* memory, std::size_t) noexcept { operator delete(memory); }
