// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <condition_variable>
#include <cstdint>
#include <memory>
#include <mutex>
#include <string>
#include <thread>
#include <vector>

#include "sdk/core/common/result.hpp"

namespace aispm::sensor {

// `pool:` of sensord.yaml.
struct PoolConfig {
  bool is_on = false;
  std::string program;  // empty: aispm-pool in the folder of this program
  std::string socket = "/var/lib/aispm/run/pool.sock";
  std::int64_t entries = 2;       // that wait, for each user, profile and interpreter
  std::int64_t max_entries = 16;  // that wait in all
};

// Keeps aispm-pool running as a child: a small process, because each sandbox is a fork of it
// (ADR 0037). It ends with this object, and with the process. What it cannot do is logged; the
// sensor does not depend on it. A thread of its own.
class PoolProcess {
 public:
  // kNotFound when there is no such program.
  static Result<std::unique_ptr<PoolProcess>> start(const PoolConfig& config);
  ~PoolProcess();

 private:
  explicit PoolProcess(std::vector<std::string> words) : words_(std::move(words)) {}
  void keep_running();
  bool run_once();

  const std::vector<std::string> words_;
  std::mutex mutex_;
  std::condition_variable changed_;
  bool is_ending_ = false;  // guarded by mutex_, as the next
  pid_t child_ = -1;
  std::thread thread_;
};

}  // namespace aispm::sensor
