// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <grpcpp/grpcpp.h>

#include <chrono>
#include <condition_variable>
#include <memory>
#include <mutex>
#include <optional>
#include <stop_token>
#include <string>
#include <utility>

#include "aispm/v1/ingest.grpc.pb.h"
#include "sdk/core/common/log.hpp"
#include "sdk/core/report/backoff.hpp"
#include "sdk/core/report/instance.hpp"

namespace aispm::report {

// Tells the collector what was made of a snapshot: the latest word only, until it is taken, and
// again on every new connection. Any thread.
template <typename Ack, typename Reply>
class AckSender {
 public:
  using Call = grpc::Status (v1::Ingest::Stub::*)(grpc::ClientContext*, const Ack&, Reply*);
  // `name` begins the log events; `state_folder` as in name_instance().
  AckSender(std::string name, Call call, std::string state_folder = {})
      : name_(std::move(name)), call_(call), state_folder_(std::move(state_folder)) {}

  // Never blocks.
  void say(Ack ack) {
    const std::scoped_lock guard(mutex_);
    ack_ = std::move(ack);
    changed_.notify_all();
  }

  // Runs while a connection lasts.
  void run(const std::shared_ptr<grpc::Channel>& channel, const std::stop_token& end) {
    const auto stub = v1::Ingest::NewStub(channel);
    std::optional<std::string> told;
    Backoff pause;
    while (!end.stop_requested()) {
      Ack ack;
      {
        std::unique_lock guard(mutex_);
        const auto has_news = [&] { return ack_ && ack_->SerializeAsString() != told; };
        if (!changed_.wait(guard, end, has_news)) return;
        ack = *ack_;
      }
      if (send(*stub, ack, end)) {
        told = ack.SerializeAsString();
        pause.reset();
        continue;
      }
      std::unique_lock guard(mutex_);
      std::condition_variable_any().wait_for(guard, end, pause.next(), [] { return false; });
    }
  }

 private:
  static constexpr std::chrono::seconds kLimit{10};

  bool send(v1::Ingest::Stub& stub, const Ack& ack, const std::stop_token& end) {
    grpc::ClientContext context;
    context.set_deadline(std::chrono::system_clock::now() + kLimit);
    name_instance(context, state_folder_);
    const std::stop_callback cancel(end, [&context] { context.TryCancel(); });
    Reply reply;
    const grpc::Status status = (stub.*call_)(&context, ack, &reply);
    if (!status.ok() && !end.stop_requested())
      log::warn(name_ + ".not_acknowledged", {{"reason", status.error_message()}});
    return status.ok();
  }

  const std::string name_;
  const Call call_;
  const std::string state_folder_;
  std::mutex mutex_;
  std::optional<Ack> ack_;
  std::condition_variable_any changed_;
};

}  // namespace aispm::report
