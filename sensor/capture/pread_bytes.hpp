// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <unistd.h>

#include <cerrno>

#include "sensor/fingerprint/file_bytes.hpp"

namespace aispm::sensor {

// An open file for analysis. Does not own the descriptor, which must outlive it. Thread-safe.
class PreadBytes final : public fingerprint::FileBytes {
 public:
  explicit PreadBytes(int fd) : fd_(fd) {}
  std::size_t read(std::uint64_t offset, std::span<std::uint8_t> out) const override {
    std::size_t done = 0;
    while (done < out.size()) {
      const ssize_t size =
          ::pread(fd_, out.data() + done, out.size() - done, static_cast<off_t>(offset + done));
      if (size < 0 && errno == EINTR) continue;
      if (size <= 0) break;
      done += static_cast<std::size_t>(size);
    }
    return done;
  }

 private:
  int fd_;
};

}  // namespace aispm::sensor
