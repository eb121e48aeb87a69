// SPDX-License-Identifier: Apache-2.0
#include <grpcpp/grpcpp.h>

#include <atomic>
#include <condition_variable>
#include <mutex>
#include <stop_token>
#include <thread>

#include "aispm/v1/ingest.grpc.pb.h"
#include "sdk/core/common/crypto.hpp"
#include "sdk/core/common/file.hpp"
#include "sdk/core/common/log.hpp"
#include "sdk/core/report/backoff.hpp"
#include "sdk/core/report/credentials.hpp"
#include "sdk/core/report/grpc_error.hpp"
#include "sdk/core/report/reporter.hpp"
#include "sdk/core/report/snapshot_stream.hpp"

namespace aispm::report {
namespace {

constexpr std::size_t kMaxSnapshotBytes = 64U << 20;

using KeyStream = SnapshotStream<v1::WatchAgentKeysRequest, v1::AgentKeySnapshot>;

std::vector<AgentKey> keys_of(const v1::AgentKeySnapshot& snapshot) {
  std::vector<AgentKey> keys;
  keys.reserve(static_cast<std::size_t>(snapshot.keys_size()));
  for (const auto& key : snapshot.keys())
    keys.push_back({key.key_id(), key.key_sha256(), key.agent_id(), key.tenant()});
  return keys;
}

class GrpcKeyWatcher final : public KeyWatcher {
 public:
  GrpcKeyWatcher(const ReporterOptions& options, OnChange on_change)
      : options_(options),
        cache_path_(options.state_folder + "/agent_keys"),
        on_change_(std::move(on_change)),
        thread_([this](std::stop_token stop) { run(stop); }) {}

 private:
  void run(const std::stop_token& stop) {
    announce_cache();
    std::string last_error;
    while (!stop.stop_requested()) {
      const Error ended = follow(stop);
      if (stop.stop_requested()) return;
      if (ended.message != last_error)
        log::warn("agent_keys.disconnected",
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
    KeyStream stream(open_channel(options_, *certificate));
    stream.begin([](v1::Ingest::Stub& stub, auto... arguments) {
      stub.async()->WatchAgentKeys(arguments...);
    });
    {
      const std::stop_callback cancel(stop, [&stream] { stream.cancel(); });
      while (const auto snapshot = stream.wait()) {
        backoff_.reset();
        announce(*snapshot);
      }
    }
    return from_grpc(stream.status(), "collector " + options_.collector);
  }

  void announce(const v1::AgentKeySnapshot& snapshot) {
    const std::string bytes = snapshot.SerializeAsString();
    // Stored first: a revoked key must not come back with the next start.
    if (auto stored = write_file_atomically(cache_path_, sha256_hex(bytes) + bytes, 0600); !stored)
      log::error("agent_keys.store_failed", stored.error());
    on_change_(keys_of(snapshot));
    log::info("agent_keys.changed",
              {{"keys", snapshot.keys_size()}, {"version", snapshot.version()}});
  }

  void announce_cache() {
    constexpr std::size_t kHashDigits = 64;
    const auto content = read_file(cache_path_, kMaxSnapshotBytes);
    if (!content && content.error().code == Errc::kNotFound) return;
    v1::AgentKeySnapshot snapshot;
    if (content && content->size() >= kHashDigits &&
        sha256_hex(content->substr(kHashDigits)) == content->substr(0, kHashDigits) &&
        snapshot.ParseFromString(content->substr(kHashDigits)))
      return on_change_(keys_of(snapshot));
    // No keys are known then: agents are refused until the collector answers.
    log::warn("agent_keys.cache_unusable", {{"path", cache_path_}});
  }

  const ReporterOptions options_;
  const std::string cache_path_;
  const OnChange on_change_;
  Backoff backoff_;
  std::jthread thread_;
};

}  // namespace

Result<std::unique_ptr<KeyWatcher>> KeyWatcher::open(const ReporterOptions& options,
                                                     OnChange on_change) {
  AISPM_TRY(const std::string host, host_of(options.collector));
  if (host.empty() || options.state_folder.empty())
    return fail(Errc::kInvalid,
                "key watcher: the collector's address or the state folder is missing");
  AISPM_CHECK(make_directories(options.state_folder, 0700));
  return std::make_unique<GrpcKeyWatcher>(options, std::move(on_change));
}

}  // namespace aispm::report
