// SPDX-License-Identifier: Apache-2.0
#include "sensor/own_memory.hpp"

#include <link.h>
#include <malloc.h>
#include <sys/mman.h>
#include <unistd.h>

#include <cstdint>

namespace aispm::sensor {
namespace {

// Fixed, since the C library otherwise raises them to the largest block freed so far: then a
// symbol table of 8 MiB, read once, stays in the heap. Well above what is read again and again
// (windows of 1 MiB into files), which would be mapped and faulted in anew each time.
constexpr int kMapFromBytes = 2 << 20;
constexpr int kTrimFromBytes = 4 << 20;
constexpr int kArenas = 2;  // the pipeline's, and one for all other threads

bool has_text_relocations(const dl_phdr_info& object) {
  for (int i = 0; i < object.dlpi_phnum; ++i) {
    const ElfW(Phdr)& segment = object.dlpi_phdr[i];
    if (segment.p_type != PT_DYNAMIC) continue;
    const auto* entry = reinterpret_cast<const ElfW(Dyn)*>(object.dlpi_addr + segment.p_vaddr);
    for (; entry->d_tag != DT_NULL; ++entry)
      if (entry->d_tag == DT_TEXTREL) return true;
  }
  return false;
}

// Only segments that nobody may write: what their pages hold is in the file.
int unmap_pages(dl_phdr_info* object, std::size_t, void*) {
  static const auto page = static_cast<std::uintptr_t>(::sysconf(_SC_PAGESIZE));
  if (has_text_relocations(*object)) return 0;
  for (int i = 0; i < object->dlpi_phnum; ++i) {
    const ElfW(Phdr)& segment = object->dlpi_phdr[i];
    if (segment.p_type != PT_LOAD || (segment.p_flags & PF_W) != 0) continue;
    const std::uintptr_t begin = (object->dlpi_addr + segment.p_vaddr) & ~(page - 1);
    const std::uintptr_t end = object->dlpi_addr + segment.p_vaddr + segment.p_memsz;
    // A refusal (the vDSO has no file) costs nothing.
    (void)::madvise(reinterpret_cast<void*>(begin), end - begin, MADV_DONTNEED);
  }
  return 0;
}

}  // namespace

void use_little_memory() {
  ::mallopt(M_MMAP_THRESHOLD, kMapFromBytes);
  ::mallopt(M_TRIM_THRESHOLD, kTrimFromBytes);
  ::mallopt(M_ARENA_MAX, kArenas);
}

void release_freed_memory() { ::malloc_trim(0); }

void release_starting_memory() {
  release_freed_memory();
  ::dl_iterate_phdr(unmap_pages, nullptr);
}

}  // namespace aispm::sensor
