// SPDX-License-Identifier: Apache-2.0
// Gives training the features that the classifier sees, so that both are one.
//
//   feature_dump < rows.jsonl > features.bin
//
// Reads {"text": ...} a line. Writes little-endian u32: per row the number of blocks; per block the
// number of features and their hashes, the kind in a word of its own before each: kind << 24 |
// meaning 0 << 16 | meaning 1 << 8 | meaning 2.
#include <simdjson.h>

#include <cstdio>
#include <iostream>
#include <string>
#include <vector>

#include "sdk/core/detect/classifier_features.hpp"

namespace {

void append_block(const aispm::detect::FeatureBlock& block, std::vector<std::uint32_t>& out) {
  out.push_back(static_cast<std::uint32_t>(block.count));
  for (std::size_t i = 0; i < block.count; ++i) {
    const aispm::detect::Feature& feature = block.features[i];
    std::uint32_t kind = static_cast<std::uint32_t>(feature.kind);
    for (const auto meaning : feature.meanings)
      kind = kind << 8 | static_cast<std::uint32_t>(meaning);
    out.push_back(kind);
    out.push_back(feature.hash);
  }
}

}  // namespace

int main() {
  simdjson::dom::parser parser;
  std::vector<std::uint32_t> out;
  aispm::detect::FeatureBlock block;
  for (std::string line; std::getline(std::cin, line); out.clear()) {
    std::string_view text;
    if (parser.parse(line)["text"].get(text) != simdjson::SUCCESS) {
      std::cerr << "feature_dump: a line without a string `text`\n";
      return 2;
    }
    out.push_back(0);
    aispm::detect::FeatureReader reader(text.substr(0, 64U << 10));
    while (reader.next(block)) {
      ++out[0];
      append_block(block, out);
    }
    if (std::fwrite(out.data(), sizeof(std::uint32_t), out.size(), stdout) != out.size()) return 1;
  }
  return 0;
}
