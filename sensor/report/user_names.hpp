// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <chrono>
#include <cstdint>
#include <string>
#include <unordered_map>

namespace aispm::sensor {

// Names of uids from /etc/passwd, read again at most once a minute when one is unknown. Not by NSS:
// a directory server that does not answer must not stop the sensor.
class UserNames {
 public:
  explicit UserNames(std::string path = "/etc/passwd") : path_(std::move(path)) { read(); }

  // The name, or the uid as digits.
  std::string operator()(std::uint32_t uid);

 private:
  void read();

  std::string path_;
  std::unordered_map<std::uint32_t, std::string> names_;
  std::chrono::steady_clock::time_point last_read_;
};

}  // namespace aispm::sensor
