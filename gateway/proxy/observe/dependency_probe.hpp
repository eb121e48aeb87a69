// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <chrono>
#include <condition_variable>
#include <functional>
#include <map>
#include <memory>
#include <mutex>
#include <string>
#include <thread>
#include <vector>

#include "sdk/core/common/result.hpp"

namespace aispm::gateway {

// Whether somebody accepts connections where calls have been failing. A failed call alone says
// little: nobody calls again while a load balancer keeps requests away, so this asks by itself. On
// a thread of its own, because names take seconds to resolve.
class DependencyProbe {
 public:
  static constexpr std::chrono::milliseconds kEvery{1'000};
  static constexpr std::chrono::milliseconds kConnect{1'000};  // for each address of a name

  struct Target {
    std::string name;
    std::string host;
    std::uint16_t port = 0;
  };
  // Those whose last call failed; called on the probe's thread.
  using Suspects = std::function<std::vector<Target>()>;

  explicit DependencyProbe(Suspects suspects);
  ~DependencyProbe();
  DependencyProbe(const DependencyProbe&) = delete;
  DependencyProbe& operator=(const DependencyProbe&) = delete;

  // Why, by name; of the last round.
  std::map<std::string, std::string> unreachable() const;

 private:
  void run();

  const Suspects suspects_;
  mutable std::mutex mutex_;
  std::condition_variable wake_;
  bool stopping_ = false;
  std::map<std::string, std::string> unreachable_;
  std::thread thread_;
};

// Connects and closes again. kUnavailable says why not.
Result<> try_connect(const std::string& host, std::uint16_t port, std::chrono::milliseconds limit);

}  // namespace aispm::gateway
