// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <cstdint>
#include <memory>
#include <string>

#include "sdk/core/common/result.hpp"
#include "sdk/core/common/secret.hpp"

namespace aispm::collector {

// Where to tell that somebody is asked (`approvals.notify`).
struct NotifyConfig {
  std::string url;      // "" = nobody is told
  std::string ca_file;  // "" = the system's store
  Secret secret;        // signs what is sent
  std::string link;     // prefix of links in what is sent: "https://aispm.example"
  bool allow_private = false;
};

// Sends messages to one webhook, one after another, on a thread of its own: POST with a JSON body
// and `x-aispm-signature: t=<Unix seconds>,v1=<HMAC-SHA-256 of "<t>.<body>">`. What is not taken
// (no status 2xx) is tried again, up to kTries times.
class Notifier {
 public:
  static constexpr std::size_t kMaxWaiting = 1000;
  static constexpr int kTries = 5;

  static Result<std::unique_ptr<Notifier>> start(const NotifyConfig& config);
  // Ends soon; what waits is not sent any more.
  ~Notifier();
  Notifier(const Notifier&) = delete;
  Notifier& operator=(const Notifier&) = delete;

  // Any thread; never blocks. Beyond kMaxWaiting messages are dropped and counted.
  void send(std::string body);

  struct Counts {
    std::uint64_t sent = 0;
    std::uint64_t failed = 0;  // given up
    std::uint64_t dropped = 0;
    std::string problem;  // of the last that failed; empty when the last was taken
  };
  Counts counts() const;

 private:
  struct State;
  explicit Notifier(std::unique_ptr<State> state);
  std::unique_ptr<State> state_;
};

}  // namespace aispm::collector
