// SPDX-License-Identifier: Apache-2.0
// Replays a seed corpus through a fuzz target where libFuzzer is not in use, so that every build
// runs every target.
#include <cstdint>
#include <cstdio>
#include <filesystem>
#include <fstream>
#include <iterator>
#include <string>

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size);

namespace {

std::size_t replay(const std::filesystem::path& folder) {
  std::size_t count = 0;
  for (const auto& entry : std::filesystem::recursive_directory_iterator(folder)) {
    if (!entry.is_regular_file()) continue;
    std::ifstream file(entry.path(), std::ios::binary);
    const std::string bytes((std::istreambuf_iterator<char>(file)), {});
    // Every prefix too: cut input is what a network delivers.
    const std::size_t step = bytes.size() > 4096 ? bytes.size() / 512 : 1;
    for (std::size_t size = 0; size <= bytes.size(); size += step)
      LLVMFuzzerTestOneInput(reinterpret_cast<const std::uint8_t*>(bytes.data()), size);
    LLVMFuzzerTestOneInput(reinterpret_cast<const std::uint8_t*>(bytes.data()), bytes.size());
    ++count;
  }
  return count;
}

}  // namespace

int main(int argc, char** argv) {
  std::size_t count = 0;
  for (int i = 1; i < argc; ++i) count += replay(argv[i]);
  std::printf("replayed %zu seeds\n%d passed, %d failed, 0 skipped\n", count, count > 0 ? 1 : 0,
              count > 0 ? 0 : 1);
  return count > 0 ? 0 : 1;
}
