// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <condition_variable>
#include <memory>
#include <mutex>
#include <thread>
#include <vector>

#include "gateway/collector/ingest/feed.hpp"
#include "gateway/net/http_server.hpp"

namespace aispm::collector::api {

// Writes subscriptions to HTTP clients as server-sent events, on one thread of its own. A client
// that does not read fast enough gets `event: dropped` with {"dropped":N} and is closed; it may
// connect again.
class SsePump {
 public:
  SsePump();
  SsePump(const SsePump&) = delete;
  SsePump& operator=(const SsePump&) = delete;
  ~SsePump();

  // Says that some subscription has something. Any thread; never blocks.
  void wake();
  // Takes over the reply of an authorised request. Any thread.
  void add(std::shared_ptr<Subscription> subscription, std::shared_ptr<net::HttpReply> reply);

 private:
  struct Stream {
    std::shared_ptr<Subscription> subscription;
    std::shared_ptr<net::HttpReply> reply;
    std::chrono::steady_clock::time_point last_write;
  };
  void run();
  // False when the stream is over.
  static bool pump(Stream& stream);

  std::mutex mutex_;
  std::condition_variable changed_;
  std::vector<Stream> added_;
  bool is_awake_ = false;
  bool is_stopping_ = false;
  std::vector<Stream> streams_;  // the thread's own
  std::thread thread_;
};

}  // namespace aispm::collector::api
