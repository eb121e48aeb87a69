// SPDX-License-Identifier: Apache-2.0
#include "sdk/core/report/reporter.hpp"
#include "sdk/core/report/snapshot_follower.hpp"

namespace aispm::report {
namespace {

using KeyFollower = SnapshotFollower<v1::WatchAgentKeysRequest, v1::AgentKeySnapshot>;

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
      : on_change_(std::move(on_change)), follower_(options, subject()) {}

 private:
  // Without a usable file no keys are known: agents are refused until the collector answers.
  KeyFollower::Subject subject() {
    return {
        .name = "agent_keys",
        .call = [](v1::Ingest::Stub& stub, auto... rest) { stub.async()->WatchAgentKeys(rest...); },
        .take = [this](const v1::AgentKeySnapshot& snapshot) { on_change_(keys_of(snapshot)); },
        .take_nothing = [] {},
        .meanwhile = {}};
  }

  const OnChange on_change_;
  KeyFollower follower_;
};

}  // namespace

Result<std::unique_ptr<KeyWatcher>> KeyWatcher::open(const ReporterOptions& options,
                                                     OnChange on_change) {
  AISPM_CHECK(prepare_to_follow(options));
  return std::make_unique<GrpcKeyWatcher>(options, std::move(on_change));
}

}  // namespace aispm::report
