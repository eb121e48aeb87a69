// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <grpcpp/grpcpp.h>

#include <condition_variable>
#include <memory>
#include <mutex>
#include <optional>
#include <string>
#include <utility>

#include "aispm/v1/ingest.grpc.pb.h"
#include "sdk/core/report/instance.hpp"

namespace aispm::report {

// One call of Ingest that answers with snapshots, read by gRPC's threads. Only the newest snapshot
// matters.
template <typename Request, typename Snapshot>
class SnapshotStream final : public grpc::ClientReadReactor<Snapshot> {
 public:
  // `state_folder` as in name_instance().
  SnapshotStream(const std::shared_ptr<grpc::Channel>& channel, const std::string& state_folder)
      : stub_(v1::Ingest::NewStub(channel)) {
    name_instance(context_, state_folder);
  }

  // `call(stub, context, request, reactor)` makes the call.
  template <typename Call>
  void begin(Call call) {
    call(*stub_, &context_, &request_, this);
    this->StartRead(&reply_);
    this->StartCall();
  }
  void cancel() { context_.TryCancel(); }

  // Waits for a snapshot or the end of the call; nothing means the end.
  std::optional<Snapshot> wait() {
    std::unique_lock guard(mutex_);
    changed_.wait(guard, [this] { return done_ || latest_; });
    return std::exchange(latest_, std::nullopt);
  }
  grpc::Status status() {
    std::unique_lock guard(mutex_);
    changed_.wait(guard, [this] { return done_; });
    return status_;
  }

 private:
  void OnReadDone(bool ok) override {
    if (!ok) return;
    {
      const std::scoped_lock guard(mutex_);
      latest_ = std::move(reply_);
      changed_.notify_all();
    }
    reply_.Clear();
    this->StartRead(&reply_);
  }
  void OnDone(const grpc::Status& status) override {
    const std::scoped_lock guard(mutex_);
    status_ = status;
    done_ = true;
    changed_.notify_all();
  }

  std::unique_ptr<v1::Ingest::Stub> stub_;
  grpc::ClientContext context_;
  Request request_;
  Snapshot reply_;
  std::mutex mutex_;
  std::condition_variable changed_;
  std::optional<Snapshot> latest_;
  grpc::Status status_;
  bool done_ = false;
};

}  // namespace aispm::report
