// SPDX-License-Identifier: Apache-2.0
// A file's head of any content: a model or none, under every known name.
#include <cstdint>
#include <cstdlib>
#include <string>

#include "sensor/classify/model_format.hpp"

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  using namespace aispm::sensor;
  static const Signatures kSignatures = Signatures::builtin().value();
  const std::string_view head(reinterpret_cast<const char*>(data), size);
  for (const char* name : {"a.gguf", "a.safetensors", "a.pt", "a.onnx", "a.bin", "a", "sha256-x"}) {
    const ModelFormat found = find_model_format(name, head, size, kSignatures);
    if (found.format != nullptr && (found.confidence <= 0 || found.confidence > 1)) std::abort();
  }
  return 0;
}
