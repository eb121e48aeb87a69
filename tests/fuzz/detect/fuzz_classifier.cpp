// SPDX-License-Identifier: Apache-2.0
// Any bytes: every feature and every verdict lies inside the text, blocks go forward, and a used
// scratch says the same as a new one.
#include <cstdint>
#include <cstdio>
#include <cstdlib>

#include "sdk/core/detect/classifier.hpp"
#include "sdk/core/detect/classifier_features.hpp"

namespace {

using namespace aispm::detect;

void require(bool claim, const char* what) {
  if (claim) return;
  std::fprintf(stderr, "%s\n", what);
  std::abort();
}

void check_blocks(std::string_view text) {
  static FeatureBlock block;
  FeatureReader reader(text);
  std::uint32_t last = 0;
  while (reader.next(block)) {
    require(block.begin >= last && block.end > block.begin, "blocks go back");
    require(block.end <= text.size(), "block leaves the text");
    require(block.count <= kMaxBlockFeatures, "too many features");
    for (std::size_t i = 0; i < block.count; ++i) {
      const Feature& feature = block.features[i];
      require(feature.begin <= feature.end && feature.end <= text.size(),
              "feature leaves the text");
    }
    last = block.end;
  }
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  if (size == 0) return 0;
  const auto surface = static_cast<Surface>(data[0] % kSurfaceCount);
  const std::string_view text(reinterpret_cast<const char*>(data) + 1, size - 1);
  check_blocks(text);
  static ClassifierScratch used;
  const ClassifierVerdict verdict = classify(text, surface, used);
  require(verdict.begin <= verdict.end && verdict.end <= text.size(), "window leaves the text");
  require(verdict.feature_count <= kTopFeatures, "too many reasons");
  require(classify(text, surface, used).score == verdict.score, "a used scratch changed the score");
  return 0;
}
