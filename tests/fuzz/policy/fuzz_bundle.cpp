// SPDX-License-Identifier: Apache-2.0
// Any bytes as the files of a bundle: "path NUL content NUL" again and again. A bundle or an error
// that says something; what compiles has the same version twice, and another one with a byte more.
#include <cstdint>
#include <cstdlib>
#include <string>
#include <string_view>

#include "sdk/core/policy/bundle.hpp"

using namespace aispm::policy;

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  std::string_view rest(reinterpret_cast<const char*>(data), size);
  std::vector<FolderFile> files;
  const auto part = [&] {
    const std::size_t border = rest.find('\0');
    const std::string text(rest.substr(0, border));
    rest.remove_prefix(border == std::string_view::npos ? rest.size() : border + 1);
    return text;
  };
  while (!rest.empty() && files.size() < 16) {
    std::string path = part();
    // Rego has its own fuzzing upstream, and one evaluation may take all the time it is given.
    if (path.rfind("rego/", 0) == 0) path = "data.json";
    std::string content = part();
    files.push_back({std::move(path), std::move(content)});
  }
  const auto bundle = Bundle::compile(files);
  if (!bundle) {
    if (bundle.error().message.empty()) std::abort();
    return 0;
  }
  if ((*bundle)->version() != (*Bundle::compile(files))->version()) std::abort();
  if (Bundle::compile(files, {.trusted_keys = {}, .must_be_signed = true})) std::abort();
  files.push_back({"rego/tests/more", "x"});
  const auto other = Bundle::compile(files);
  if (!other || (*other)->version() == (*bundle)->version()) std::abort();
  return 0;
}
