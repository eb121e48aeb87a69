// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <gtest/gtest.h>
#include <unistd.h>

#include <chrono>
#include <functional>
#include <memory>
#include <string>
#include <vector>

#include "sensor/capture/capture.hpp"
#include "sensor/decode/decode.hpp"

namespace aispm::sensor::kernel_test {

// Real capture of this kernel, for a test to make system calls under. Skips where the kernel or the
// privileges are missing.
class Watch {
 public:
  // Captures this process's own TLS too: tests are their own clients and servers.
  static std::unique_ptr<Watch> open(RingSizes rings = {}) {
    CaptureOptions options;
    options.mode = CaptureMode::kEbpf;
    options.rings = rings;
    return open(options);
  }
  static std::unique_ptr<Watch> open(const CaptureOptions& options) {
    auto capture = Capture::open(options);
    if (!capture) {
      why_not() = capture.error().message;
      return nullptr;
    }
    return std::unique_ptr<Watch>(new Watch(std::move(*capture)));
  }
  static std::string& why_not() {
    static std::string reason;
    return reason;
  }

  // Takes records until `is_done` says so or ten seconds are over; then says whether it was done.
  bool until(const std::function<bool()>& is_done) {
    const auto deadline = std::chrono::steady_clock::now() + std::chrono::seconds(10);
    while (!is_done()) {
      if (std::chrono::steady_clock::now() > deadline) return false;
      take(std::chrono::milliseconds(20));
    }
    return true;
  }

  // Takes what is there now, and what comes within a moment: to show that nothing more comes.
  void settle() {
    for (int i = 0; i < 10; ++i) take(std::chrono::milliseconds(20));
  }

  void take(std::chrono::milliseconds longest) {
    take(longest, [this](Record record) { records_.push_back(std::move(record)); });
  }
  // As above, for what is too much to keep.
  void take(std::chrono::milliseconds longest, const std::function<void(Record)>& on_record) {
    taken_ = 0;
    const auto on_bytes = [&](std::span<const std::byte> bytes) {
      auto record = decode_record(bytes);
      ASSERT_TRUE(record) << record.error().message;
      ++taken_;
      on_record(std::move(*record));
    };
    ASSERT_TRUE(capture_->wait(longest));
    const auto more = capture_->drain(on_bytes, on_bytes, [&](Record record) {
      ASSERT_TRUE(std::holds_alternative<TlsLibraryFact>(record)) << "eBPF mode polls nothing";
      on_record(std::move(record));
    });
    ASSERT_TRUE(more);
  }
  // The last take() found nothing.
  bool is_drained() const { return taken_ == 0; }

  template <typename T>
  std::vector<T> of(std::uint32_t pid) const {
    std::vector<T> found;
    for (const Record& record : records_)
      if (const T* one = std::get_if<T>(&record); one != nullptr && one->actor.id.pid == pid)
        found.push_back(*one);
    return found;
  }

  const std::vector<Record>& records() const { return records_; }
  std::vector<TlsLibraryFact> facts_of(std::uint32_t pid) const {
    std::vector<TlsLibraryFact> found;
    for (const Record& record : records_)
      if (const auto* one = std::get_if<TlsLibraryFact>(&record);
          one != nullptr && one->process.pid == pid)
        found.push_back(*one);
    return found;
  }

  void forget() { records_.clear(); }
  Capture& capture() { return *capture_; }

 private:
  explicit Watch(std::unique_ptr<Capture> capture) : capture_(std::move(capture)) {}
  std::unique_ptr<Capture> capture_;
  std::vector<Record> records_;
  std::size_t taken_ = 0;
};

class KernelTest : public testing::Test {
 protected:
  void SetUp() override {
    watch_ = Watch::open();
    if (watch_ == nullptr) GTEST_SKIP() << Watch::why_not();
  }
  std::unique_ptr<Watch> watch_;
  const std::uint32_t self_ = static_cast<std::uint32_t>(::getpid());
};

}  // namespace aispm::sensor::kernel_test
