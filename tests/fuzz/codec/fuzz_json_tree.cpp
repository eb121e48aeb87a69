// SPDX-License-Identifier: Apache-2.0
// Our reading of JSON against simdjson's own full parser: both accept and refuse the same texts,
// but for what we refuse on purpose.
#include <simdjson.h>

#include <cstdlib>
#include <string>

#include "sdk/core/codec/json_tree.hpp"

namespace {

constexpr std::size_t kDepth = 64;

bool refused_on_purpose(const std::string& message) {
  for (const char* reason : {"repeated key", "nested deeper", "not a JSON object", "bad escape"})
    if (message.find(reason) != std::string::npos) return true;
  return false;
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  const std::string text(reinterpret_cast<const char*>(data), size);
  aispm::codec::JsonTree tree;
  const auto ours = tree.read(text, kDepth);
  simdjson::dom::parser parser;
  simdjson::dom::element root;
  const auto theirs = parser.parse(text).get(root);
  if (ours) {
    // The full parser also wants numbers to fit its types.
    if (theirs && theirs != simdjson::NUMBER_ERROR) std::abort();
    for (std::size_t i = 0; i < tree.size(); ++i) {
      if (tree[i].begin >= tree[i].end || tree[i].end > text.size()) std::abort();
      if (tree[i].next <= i || tree[i].next > tree.size()) std::abort();
    }
  } else if (!theirs && !refused_on_purpose(ours.error().message)) {
    std::abort();
  }
  return 0;
}
