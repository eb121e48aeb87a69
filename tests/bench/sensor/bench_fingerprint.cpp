// SPDX-License-Identifier: Apache-2.0
// What it takes to find the TLS functions in programs: time of a second look (the file is in the
// page cache), memory beyond what the process had before, and what was found. Arguments: files.
#include <fcntl.h>
#include <sys/resource.h>

#include <chrono>
#include <cstdio>
#include <cstdlib>
#include <filesystem>
#include <string>
#include <vector>

#include "sdk/core/common/unique_fd.hpp"
#include "sensor/capture/pread_bytes.hpp"
#include "sensor/fingerprint/analyse.hpp"

namespace {

using namespace aispm;
using namespace aispm::sensor;

double peak_megabytes() {
  rusage usage{};
  ::getrusage(RUSAGE_SELF, &usage);
  return static_cast<double>(usage.ru_maxrss) / 1024;
}

std::string text_of(const fingerprint::Finding& finding) {
  std::string text = finding.library + ":";
  char address[32];
  for (const fingerprint::Site& site : finding.sites) {
    std::snprintf(address, sizeof(address), "0x%llx",
                  static_cast<unsigned long long>(site.address));
    text += " " + site.function + "@" + address;
    if (!site.returns.empty()) text += "(" + std::to_string(site.returns.size()) + " returns)";
  }
  for (const std::string& reason : finding.reasons) text += " [" + reason + "]";
  return text;
}

int measure(const std::string& path, const fingerprint::Packs& packs) {
  const UniqueFd file(::open(path.c_str(), O_RDONLY | O_CLOEXEC));
  if (!file) {
    std::fprintf(stderr, "%s: cannot be opened\n", path.c_str());
    return 1;
  }
  const PreadBytes bytes(file.get());
  (void)fingerprint::analyse(bytes, packs);
  const double before = peak_megabytes();
  const auto start = std::chrono::steady_clock::now();
  const auto findings = fingerprint::analyse(bytes, packs);
  const double seconds =
      std::chrono::duration<double>(std::chrono::steady_clock::now() - start).count();
  if (!findings) {
    std::fprintf(stderr, "%s: %s\n", path.c_str(), findings.error().message.c_str());
    return 1;
  }
  const std::string name = std::filesystem::path(path).filename();
  for (const fingerprint::Finding& finding : *findings)
    std::fprintf(stderr, "%s: %s\n", name.c_str(), text_of(finding).c_str());
  std::printf(
      "{\"name\":\"fingerprint.%s.seconds\",\"value\":%.3f,\"unit\":\"s\",\"target\":\"<= "
      "3\",\"ok\":%s}\n",
      name.c_str(), seconds, seconds <= 3 ? "true" : "false");
  std::printf(
      "{\"name\":\"fingerprint.%s.peak_rss\",\"value\":%.1f,\"unit\":\"MB\",\"target\":\"<= "
      "150\",\"ok\":%s}\n",
      name.c_str(), before, before <= 150 ? "true" : "false");
  return 0;
}

}  // namespace

int main(int argc, char** argv) {
  const auto packs = fingerprint::Packs::builtin();
  if (!packs) {
    std::fprintf(stderr, "%s\n", packs.error().message.c_str());
    return 1;
  }
  std::vector<std::string> files(argv + 1, argv + argc);
  const char* source = std::getenv("AISPM_SOURCE_DIR");
  std::error_code none;
  if (files.empty() && source != nullptr)
    for (const auto& entry :
         std::filesystem::directory_iterator(std::string(source) + "/build/fixtures/bin", none))
      files.push_back(entry.path());
  if (files.empty()) std::fprintf(stderr, "no programs: run tests/system/runtimes/fixtures.py\n");
  int failures = 0;
  for (const std::string& file : files) failures += measure(file, *packs);
  return failures == 0 ? 0 : 1;
}
