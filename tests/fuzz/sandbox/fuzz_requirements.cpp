// SPDX-License-Identifier: Apache-2.0
#include <cstdlib>

#include "sandbox/requirements/lock_entry.hpp"
#include "sandbox/requirements/requirements.hpp"

namespace {

// Whatever is accepted reads again as itself, and no line of it begins like an option or holds an
// address: nothing but packages of the index reaches pip.
void check_python(const aispm::Result<aispm::sandbox::Requirements>& parsed) {
  if (!parsed) return;
  const auto again = aispm::sandbox::parse_requirements_txt(parsed->text, "again");
  if (!again || again->text != parsed->text || again->count != parsed->count) std::abort();
  if (parsed->text.find("://") != std::string::npos ||
      parsed->text.find("\n-") != std::string::npos || parsed->text.starts_with('-'))
    std::abort();
}

}  // namespace

// The first byte chooses the parser; of package.json, the lock follows after a NUL.
extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  if (size == 0) return 0;
  const std::string text(reinterpret_cast<const char*>(data) + 1, size - 1);
  switch (data[0]) {
    case 'r':
      check_python(aispm::sandbox::parse_requirements_txt(text, "r.txt"));
      break;
    case 't':
      check_python(aispm::sandbox::parse_pyproject(text, "pyproject.toml"));
      break;
    case 'n': {
      const auto split = text.find('\0');
      const auto parsed = aispm::sandbox::parse_package_json(
          text.substr(0, split), split == std::string::npos ? "{}" : text.substr(split + 1),
          "package.json", "https://registry.npmjs.org");
      if (parsed)
        for (const auto& package : parsed->packages)
          if (!package.url.starts_with("https://registry.npmjs.org/") ||
              package.name.find_first_of(" \n") != std::string::npos)
            std::abort();
      break;
    }
    case 'p': {
      const auto resolved = aispm::sandbox::parse_pip_report(text);
      if (!resolved) break;
      const aispm::sandbox::LockEntry entry{std::string(64, '0'), 1, 2, resolved->packages};
      const auto again = aispm::sandbox::parse_lock_entry(to_text(entry));
      if (!again || !(*again == entry)) std::abort();
      break;
    }
    default:
      (void)aispm::sandbox::parse_lock_entry(text);
  }
  return 0;
}
