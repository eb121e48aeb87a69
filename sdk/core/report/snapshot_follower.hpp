// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <functional>
#include <memory>
#include <stop_token>
#include <string>
#include <thread>

#include "sdk/core/common/log.hpp"
#include "sdk/core/report/backoff.hpp"
#include "sdk/core/report/credentials.hpp"
#include "sdk/core/report/grpc_error.hpp"
#include "sdk/core/report/snapshot_cache.hpp"
#include "sdk/core/report/snapshot_stream.hpp"

namespace aispm::report {

// Keeps one snapshot of the collector up to date on a thread of its own: first from disk, then
// with every change, over as many connections as it takes.
template <typename Request, typename Snapshot>
class SnapshotFollower {
 public:
  // What is followed. All functions are called on the follower's thread.
  struct Subject {
    std::string name;  // the file in the state folder, and the first word of log events
    std::function<void(v1::Ingest::Stub&, grpc::ClientContext*, const Request*,
                       grpc::ClientReadReactor<Snapshot>*)>
        call;
    std::function<void(const Snapshot&)> take;
    std::function<void()> take_nothing;  // nothing was stored yet; not called for a damaged file
    // Runs on one more thread while a connection lasts; may be empty.
    std::function<void(const std::shared_ptr<grpc::Channel>&, std::stop_token)> meanwhile;
    // The file is damaged; may be empty.
    std::function<void(const std::string& reason)> take_damaged = {};
    // What came is on disk, or why not; may be empty.
    std::function<void(const Result<>&)> stored = {};
    // Taken before it is stored: for what must be in force at once, and of which an older state may
    // come back when the host dies within that moment.
    bool is_urgent = false;
  };

  SnapshotFollower(const ReporterOptions& options, Subject subject)
      : options_(options),
        subject_(std::move(subject)),
        cache_(options.state_folder + "/" + subject_.name),
        thread_([this](std::stop_token stop) { run(stop); }) {}

 private:
  void run(const std::stop_token& stop) {
    take_stored();
    std::string last_error;
    while (!stop.stop_requested()) {
      const Error ended = follow(stop);
      if (stop.stop_requested()) return;
      if (ended.message != last_error)
        log::warn(subject_.name + ".disconnected",
                  {{"collector", options_.collector}, {"reason", ended.message}});
      last_error = ended.message;
      std::mutex mutex;
      std::unique_lock guard(mutex);
      std::condition_variable_any().wait_for(guard, stop, backoff_.next(), [] { return false; });
    }
  }

  // One connection; gives the reason for its end.
  Error follow(const std::stop_token& stop) {
    auto certificate = obtain_certificate(options_, stop);
    if (!certificate) return certificate.error();
    const auto channel = open_channel(options_, *certificate);
    SnapshotStream<Request, Snapshot> stream(channel, options_.state_folder);
    stream.begin(subject_.call);
    std::jthread beside;
    if (subject_.meanwhile)
      beside = std::jthread([&](std::stop_token end) { subject_.meanwhile(channel, end); });
    {
      const std::stop_callback cancel(stop, [&stream] { stream.cancel(); });
      while (const auto snapshot = stream.wait()) {
        backoff_.reset();
        take_new(*snapshot);
      }
    }
    return from_grpc(stream.status(), "collector " + options_.collector);
  }

  void take_new(const Snapshot& snapshot) {
    if (subject_.is_urgent) subject_.take(snapshot);
    // Else stored first: what was withdrawn must not come back with the next start.
    const Result<> stored = cache_.store(snapshot.SerializeAsString());
    if (!stored) log::error(subject_.name + ".store_failed", stored.error());
    if (!subject_.is_urgent) subject_.take(snapshot);
    if (subject_.stored) subject_.stored(stored);
    log::info(subject_.name + ".changed", {{"version", snapshot.version()}});
  }

  void take_stored() {
    const auto stored = cache_.load();
    Snapshot snapshot;
    if (stored && !*stored) return subject_.take_nothing();
    if (stored && snapshot.ParseFromString(**stored)) return subject_.take(snapshot);
    const std::string reason = stored ? "it does not parse" : stored.error().message;
    log::warn(subject_.name + ".cache_unusable", {{"reason", reason}});
    if (subject_.take_damaged) subject_.take_damaged(reason);
  }

  const ReporterOptions options_;
  const Subject subject_;
  const SnapshotCache cache_;
  Backoff backoff_;
  std::jthread thread_;
};

// Whether `options` name a collector and a folder to keep a snapshot in; makes the folder.
Result<> prepare_to_follow(const ReporterOptions& options);

}  // namespace aispm::report
