// SPDX-License-Identifier: Apache-2.0
// Any bytes as a model file: every section that is accepted lies in the file and has the size that
// its kind and shape say; a whole model is refused or whole.
#include <cstdint>
#include <cstdlib>
#include <string>

#include "sdk/core/detect/semantic.hpp"
#include "sdk/core/detect/semantic_file.hpp"

using aispm::detect::SemanticFile;
using aispm::detect::SemanticModel;

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  const std::string bytes(reinterpret_cast<const char*>(data), size);
  (void)SemanticModel::parse(bytes);
  const auto file = SemanticFile::read(bytes);
  if (!file) return 0;
  for (const char* name : {"a", "b", "table", "vocabulary", ""}) {
    for (const auto kind : {SemanticFile::Kind::kBytes, SemanticFile::Kind::kFloat,
                            SemanticFile::Kind::kByte, SemanticFile::Kind::kNibble}) {
      const auto found = file->section(name, kind);
      if (!found) continue;
      const bool inside = found->data.data() >= bytes.data() &&
                          found->data.data() + found->data.size() <= bytes.data() + bytes.size();
      if (!inside || found->data.empty()) std::abort();
      const auto numbers = file->numbers(name, found->rows, found->columns);
      if (numbers && numbers->size() != std::size_t{found->rows} * found->columns) std::abort();
    }
  }
  return 0;
}
