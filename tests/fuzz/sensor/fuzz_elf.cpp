// SPDX-License-Identifier: Apache-2.0
// A library file of any content: its functions are found and probes are planned, or it is refused.
#include <sys/mman.h>
#include <unistd.h>

#include <cstdlib>

#include "sdk/core/common/unique_fd.hpp"
#include "sensor/capture/elf_image.hpp"
#include "sensor/capture/probe_plan.hpp"

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  using namespace aispm;
  using namespace aispm::sensor;
  const UniqueFd file(::memfd_create("library", MFD_CLOEXEC));
  if (!file || ::write(file.get(), data, size) != static_cast<ssize_t>(size)) return 0;
  const auto image = ElfImage::open(file.get());
  if (!image) return 0;
  const auto code = [&](std::uint64_t address, std::size_t limit) {
    std::string bytes = image->code_at(address, limit);
    if (bytes.size() > limit || bytes.size() > size) std::abort();
    return bytes;
  };
  const auto functions = image->find_functions(tls_function_names());
  for (const ProbePoint& point : make_probe_plan(functions, image->is_x86_64() ? code : CodeAt()))
    (void)image->file_offset(point.address);
  for (const std::uint64_t address : {std::uint64_t{0}, std::uint64_t{4096}, UINT64_MAX})
    (void)code(address, 64);
  return 0;
}
