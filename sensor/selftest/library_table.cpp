// SPDX-License-Identifier: Apache-2.0
#include "sensor/selftest/library_table.hpp"

#include <chrono>
#include <cstdio>
#include <filesystem>
#include <system_error>
#include <utility>

#include "sensor/capture/proc_text.hpp"
#include "sensor/decode/decode.hpp"
#include "sensor/selftest/library_check.hpp"

namespace aispm::sensor {
namespace {

constexpr std::chrono::seconds kPatience{5};
constexpr const char* kFolders[] = {"/usr/lib/x86_64-linux-gnu", "/usr/lib/aarch64-linux-gnu",
                                    "/usr/lib64", "/usr/local/lib"};

// The plaintext written by `pid`, put together by its offsets; a hole or a repetition ends it.
class Collector {
 public:
  explicit Collector(std::uint32_t pid) : pid_(pid) {}

  void take(std::span<const std::byte> bytes) {
    const auto record = decode_record(bytes);
    const auto* chunk = record ? std::get_if<StreamChunk>(&*record) : nullptr;
    if (chunk == nullptr || chunk->actor.id.pid != pid_ || chunk->direction != Direction::kWrite)
      return;
    total_ += chunk->bytes.size();
    if (chunk->offset == text_.size()) text_ += chunk->bytes;
  }
  const std::string& text() const { return text_; }
  std::size_t total() const { return total_; }

 private:
  const std::uint32_t pid_;
  std::string text_;
  std::size_t total_ = 0;
};

std::string judge_library(Capture& capture, const LibraryRun& run) {
  const std::string expected = library_text();
  Collector seen(run.pid);
  const auto on_bytes = [&](std::span<const std::byte> bytes) { seen.take(bytes); };
  const auto deadline = std::chrono::steady_clock::now() + kPatience;
  bool has_more = true;
  while (has_more ||
         (seen.total() < expected.size() && std::chrono::steady_clock::now() < deadline)) {
    if (!capture.wait(std::chrono::milliseconds(20))) return "capture failed";
    const auto more = capture.drain(on_bytes, on_bytes, [](const Record&) {});
    if (!more) return "capture failed";
    has_more = *more;
  }
  if (seen.total() > expected.size()) return "seen more than once";
  if (seen.text() != expected)
    return std::to_string(seen.total()) + " of " + std::to_string(expected.size()) +
           " bytes were seen";
  return "";
}

}  // namespace

std::map<std::string, double> measure_unprobed() {
  std::map<std::string, double> costs;
  for (const char* folder : kFolders) {
    std::error_code error;
    for (const auto& entry : std::filesystem::directory_iterator(folder, error)) {
      if (!is_tls_library(entry.path().native()) || entry.is_symlink(error)) continue;
      const std::string path = std::filesystem::canonical(entry.path(), error);
      ProbedLibrary library;
      library.path = path;
      library.library = "openssl";
      if (why_not_checkable(library)) continue;
      if (const auto run = run_library_child(path)) costs[path] = run->write_ns;
    }
  }
  return costs;
}

std::size_t print_libraries(Capture& capture, const std::map<std::string, double>& unprobed) {
  std::size_t wrong = 0;
  std::printf("%-10s %-12s %-34s %9s  %-12s %s\n", "RUNTIME", "METHOD", "SITE", "COST", "VERDICT",
              "FILE");
  for (const ProbedLibrary& library : capture.libraries()) {
    std::string cost = "-";
    std::string verdict = "not verified";
    std::string why = library.error;
    if (!library.error.empty()) {
      verdict = "not seen";
    } else if (const auto reason = why_not_checkable(library); reason) {
      why = *reason;
    } else if (const auto run = run_library_child(library.path); !run) {
      why = run.error().message;
    } else {
      why = judge_library(capture, *run);
      verdict = why.empty() ? "ok" : "WRONG";
      wrong += why.empty() ? 0 : 1;
      if (const auto before = unprobed.find(library.path); before != unprobed.end())
        cost = std::to_string(static_cast<long>(run->write_ns - before->second)) + " ns";
    }
    std::printf("%-10s %-12s %-34s %9s  %-12s %s%s%s\n", library.library.c_str(),
                library.method.c_str(), library.site.c_str(), cost.c_str(), verdict.c_str(),
                library.path.c_str(), why.empty() ? "" : ": ", why.c_str());
  }
  std::printf("COST: CPU that capture adds to one SSL_write of %zu bytes.\n\n", kLibraryBlockBytes);
  return wrong;
}

}  // namespace aispm::sensor
