// SPDX-License-Identifier: Apache-2.0
#include "gateway/collector/api/sse.hpp"

#include "gateway/collector/api/transcode.hpp"
#include "gateway/collector/limits.hpp"
#include "sdk/core/common/log.hpp"

namespace aispm::collector::api {
namespace {

// How soon a client whose buffer was full is looked at again.
constexpr std::chrono::milliseconds kLook{200};

}  // namespace

SsePump::SsePump() : thread_([this] { run(); }) {}

SsePump::~SsePump() {
  {
    const std::lock_guard lock(mutex_);
    is_stopping_ = true;
  }
  changed_.notify_all();
  thread_.join();
}

void SsePump::wake() {
  const std::lock_guard lock(mutex_);
  is_awake_ = true;
  changed_.notify_one();
}

void SsePump::add(std::shared_ptr<Subscription> subscription,
                  std::shared_ptr<net::HttpReply> reply) {
  reply->start_stream({200,
                       {{"content-type", "text/event-stream"},
                        {"cache-control", "no-store"},
                        {"x-accel-buffering", "no"}},
                       ": stream of events\n\n"});
  const std::lock_guard lock(mutex_);
  added_.push_back({std::move(subscription), std::move(reply), std::chrono::steady_clock::now()});
  is_awake_ = true;
  changed_.notify_one();
}

bool SsePump::pump(Stream& stream) {
  while (stream.reply->unsent_bytes() < limits::kSubscriberUnsentBytes) {
    const auto event = stream.subscription->take();
    if (!event) {
      const std::uint64_t dropped = stream.subscription->dropped();
      if (dropped == 0) break;
      (void)stream.reply->write("event: dropped\ndata: {\"dropped\":" + std::to_string(dropped) +
                                "}\n\n");
      stream.reply->finish();
      return false;
    }
    const auto json = to_json(*event);
    if (!json) {
      log::error("feed.unprintable", json.error());
      continue;
    }
    if (!stream.reply->write("data: " + *json + "\n\n")) return false;
    stream.last_write = std::chrono::steady_clock::now();
  }
  if (std::chrono::steady_clock::now() - stream.last_write < limits::kKeepAlive) return true;
  stream.last_write = std::chrono::steady_clock::now();
  return stream.reply->write(": alive\n\n");  // finds out that the client is gone
}

void SsePump::run() {
  for (;;) {
    {
      std::unique_lock lock(mutex_);
      if (streams_.empty())
        changed_.wait(lock, [this] { return is_awake_ || is_stopping_; });
      else
        changed_.wait_for(lock, kLook, [this] { return is_awake_ || is_stopping_; });
      if (is_stopping_) break;
      is_awake_ = false;
      for (Stream& stream : added_) streams_.push_back(std::move(stream));
      added_.clear();
    }
    std::erase_if(streams_, [](Stream& stream) { return !pump(stream); });
  }
  for (Stream& stream : streams_) stream.reply->finish();
}

}  // namespace aispm::collector::api
