// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <chrono>
#include <cstdint>
#include <functional>
#include <map>
#include <memory>
#include <string>
#include <vector>

#include "sdk/core/common/result.hpp"
#include "sdk/core/model/event.hpp"

// Delivery of events from a daemon to the collector: bounded queue -> disk spool -> one gRPC stream
// over mTLS with sequence numbers and acknowledgements. An outage of any length within the spool's
// cap loses nothing; past it the loss is counted and reported.
namespace aispm::report {

struct ReporterOptions {
  std::string component;  // "sensord", "gateway"
  std::string version;
  std::string collector;        // "127.0.0.1:7443"
  std::string state_folder;     // holds spool/, client.key, client.crt, ca.crt; made with mode 0700
  std::string enrolment_token;  // used once when there is no client certificate yet; may be empty
                                // afterwards
  std::uint64_t spool_cap_bytes = 256U << 20;
  std::size_t queue_limit = 65536;  // events waiting to be spooled; beyond it offer() refuses
  std::size_t batch_events = 512;
  std::chrono::milliseconds batch_delay{50};  // an event waits at most this long for company
};

struct ReporterStats {
  bool connected = false;
  std::string last_error;      // why not connected, with what to do; empty when connected
  std::uint64_t accepted = 0;  // events taken by offer()
  std::uint64_t acknowledged = 0;
  std::uint64_t spooled_bytes = 0;
  std::uint64_t lost_queue_full = 0;
  std::uint64_t lost_spool_full = 0;
  std::uint64_t lost_disk_error = 0;
  std::uint64_t lost_too_large = 0;  // events above kMaxEventBytes
  std::uint64_t rejected = 0;        // events the collector refused as malformed
  std::string
      disk_error;  // what is wrong with the spool's disk and what to do; empty when it works
};

// An event that serializes to more is refused by offer() (kTooLarge, counted).
constexpr std::size_t kMaxEventBytes = 1U << 20;

class Reporter {
 public:
  // Opens the spool and starts its threads; does not wait for the collector. Fails when the state
  // folder cannot be used.
  static Result<std::unique_ptr<Reporter>> open(ReporterOptions options);
  // Makes everything taken durable and, when connected, gives the collector up to a second to
  // acknowledge it.
  virtual ~Reporter() = default;

  // Takes the event or refuses at once (kExhausted, counted). Fills `id` and `time` when empty. Any
  // thread; never blocks on I/O. Holds at most queue_limit events and 64 MiB in memory, twice that
  // while the disk is slow.
  virtual Result<> offer(model::Event&& event) = 0;
  virtual ReporterStats stats() const = 0;
  // The latest of what was taken could not be kept on disk; known as soon as that was tried, and
  // until something is kept again. Any thread; takes no lock.
  virtual bool is_losing() const = 0;
  // Waits until everything taken so far is durable on disk (not necessarily acknowledged).
  // kExhausted when some of it could not be kept, kDeadlineExceeded when the deadline ran out.
  virtual Result<> flush(std::chrono::milliseconds deadline) = 0;
};

struct AgentKey {
  std::string key_id;
  std::string key_sha256;  // hex
  std::string agent_id;
  std::string tenant;
};

// Follows the collector's agent keys (same certificate and state folder as a Reporter). The last
// snapshot is kept on disk, so a gateway that starts while the collector is down still knows its
// agents. `on_change` runs on a thread of the watcher.
class KeyWatcher {
 public:
  using OnChange = std::function<void(std::vector<AgentKey>)>;
  static Result<std::unique_ptr<KeyWatcher>> open(const ReporterOptions& options,
                                                  OnChange on_change);
  virtual ~KeyWatcher() = default;
};

}  // namespace aispm::report
