// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <chrono>
#include <cstdint>
#include <functional>
#include <memory>
#include <string>
#include <vector>

#include "sdk/core/common/result.hpp"
#include "sdk/core/common/secret.hpp"
#include "sdk/core/policy/glob.hpp"

namespace aispm::v1 {
class Approval;
}

namespace aispm::collector {

// Where to tell that somebody is asked (`approvals.notify`, `approvals.receivers`).
struct NotifyConfig {
  static constexpr std::size_t kMaxReceivers = 16;
  std::string name = "notify";  // unique; what it was told stands in the store under it
  std::string url;
  std::string ca_file;  // "" = the system's store
  Secret secret;        // signs what is sent
  std::string link;     // prefix of links in what is sent: "https://aispm.example"
  bool allow_private = false;
  // Of what it is told: any of each; empty: of all.
  std::vector<std::string> kinds;  // "approval", "human"
  std::vector<std::string> roles;  // approver roles; "" = cases that any operator may answer
  std::vector<policy::Glob> agents;

  bool wants(const aispm::v1::Approval& approval) const;
};

// Tells one webhook of the approvals in the store that wait (store/notice_box.hpp), one after
// another, on a thread of its own: POST with a JSON body and `x-aispm-signature: t=<Unix
// seconds>,v1=<HMAC-SHA-256 of "<t>.<body>">`. What is not taken (no status 2xx) is tried again,
// also after a restart, until it is taken or nobody is asked any more. Where an approval goes to
// another role, who was not to be told of it is told if it is now, and who was is told again only
// if it names that role in its `roles`.
class Notifier {
 public:
  // The pause after the first try that failed; then twice as long each time, up to the last.
  static constexpr std::chrono::milliseconds kFirstPause{500};
  static constexpr std::chrono::milliseconds kLastPause{300'000};
  using MakeBody = std::function<std::string(const aispm::v1::Approval&)>;

  // Opens the store of that path for itself.
  static Result<std::unique_ptr<Notifier>> start(const NotifyConfig& config,
                                                 const std::string& store_path, MakeBody make_body);
  // Ends soon; what waits stays in the store.
  ~Notifier();
  Notifier(const Notifier&) = delete;
  Notifier& operator=(const Notifier&) = delete;

  // Somebody may be asked. Any thread; never blocks.
  void wake();

  // Since the start.
  struct Counts {
    std::uint64_t sent = 0;
    std::uint64_t retried = 0;   // tries that failed
    std::uint64_t given_up = 0;  // answered or expired before it was taken
    std::uint64_t waiting = 0;   // now
    std::string problem;         // of the last that failed; empty when the last was taken
  };
  Counts counts() const;

 private:
  struct State;
  explicit Notifier(std::unique_ptr<State> state);
  std::unique_ptr<State> state_;
};

}  // namespace aispm::collector
