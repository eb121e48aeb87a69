// SPDX-License-Identifier: Apache-2.0
// A program of any content: segments, unwind tables, the Go function table, symbols and code are
// read, or the file is refused. Sites that are reported lie within the file.
#include <cstdlib>

#include "sensor/fingerprint/analyse.hpp"
#include "sensor/fingerprint/eh_frame.hpp"
#include "sensor/fingerprint/go_table.hpp"

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  using namespace aispm::sensor::fingerprint;
  static const Packs packs = Packs::builtin().value();
  const MemoryBytes bytes(std::span(data, size));
  const auto findings = analyse(bytes, packs);
  if (!findings) return 0;
  for (const Finding& finding : *findings) {
    if (finding.sites.empty() && finding.reasons.empty()) std::abort();
    for (const Site& site : finding.sites) {
      if (site.file_offset >= size) std::abort();
      for (const std::uint64_t address : site.returns)
        if (address < site.address) std::abort();
    }
  }
  const auto elf = ElfView::open(bytes);
  if (const auto unwind = EhFrame::open(*elf))
    for (const ElfView::Segment& segment : elf->segments())
      (void)unwind->function_at(segment.address + segment.size / 2);
  return 0;
}
