// SPDX-License-Identifier: Apache-2.0
// A configuration file of any bytes, read with every getter: an error with its place, or values
// within their bounds.
#include <cstdlib>
#include <string>

#include "sdk/core/common/yaml.hpp"

namespace {

using aispm::YamlMap;

void read(const YamlMap& map) {
  const auto number = map.integer("number", 5, {1, 10});
  const auto share = map.number("share", 0.5, 0, 1);
  const auto size = map.size_bytes("size", 512, 1U << 20);
  const std::string choice = map.choice("choice", "a", {"a", "b"});
  if (number < 1 || number > 10 || !(share >= 0 && share <= 1) || size > (1U << 20)) std::abort();
  if (map.duration("wait", std::chrono::seconds(1)).count() < 0) std::abort();
  (void)map.text("text", "");
  (void)map.required_text("needed");
  (void)map.flag("flag", true);
  (void)map.texts("list");
  (void)choice;
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const unsigned char* data, std::size_t size) {
  const auto root = YamlMap::parse({reinterpret_cast<const char*>(data), size}, "fuzz.yaml");
  if (!root) {
    if (!root.error().message.starts_with("fuzz.yaml:")) std::abort();
    return 0;
  }
  read(*root);
  read(root->map("child"));
  for (const YamlMap& item : root->maps("children")) read(item);
  for (const std::string& key : root->map("named").keys())
    (void)root->map("named").map(key).text("x", "");
  const auto finished = root->finish();
  if (!finished && !finished.error().message.starts_with("fuzz.yaml:")) std::abort();
  return 0;
}
