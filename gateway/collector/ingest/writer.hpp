// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <condition_variable>
#include <cstdint>
#include <deque>
#include <functional>
#include <memory>
#include <mutex>
#include <string>
#include <thread>
#include <vector>

#include "gateway/collector/config.hpp"
#include "gateway/collector/ingest/batch.hpp"
#include "gateway/collector/ingest/feed.hpp"
#include "gateway/collector/store/event_writer.hpp"

namespace aispm::collector {

struct WriterState {
  std::size_t queue_events = 0;
  std::size_t queue_bytes = 0;
  std::string problem;  // why nothing can be stored at the moment; empty when all is well
};

// The one thread that writes to the store. Streams offer deliveries; it takes as many as wait into
// one transaction and tells each stream when that is durable. While the store cannot take them it
// holds them and tries again: no Ack goes out, the queue fills, streams are not read, and producers
// keep their spools.
class Writer {
 public:
  // Called on the writer's thread after the commit; must not block.
  using Done = std::function<void(const Delivery&)>;
  using Wake = std::function<void()>;

  static std::unique_ptr<Writer> start(std::unique_ptr<store::EventWriter> store, Feed& feed,
                                       Retention retention, WallClock clock);
  Writer(std::unique_ptr<store::EventWriter> store, Feed& feed, Retention retention,
         WallClock clock);
  Writer(const Writer&) = delete;
  Writer& operator=(const Writer&) = delete;
  // Stops after the transaction at hand; what was not acknowledged the producers send again.
  ~Writer();

  // Takes the delivery, or leaves it when the queue is full: then `wake` is called once, later, and
  // the caller offers again. Any thread; never blocks.
  bool offer(std::unique_ptr<Delivery>& delivery, Done done, Wake wake);
  WriterState state() const;

 private:
  struct Item {
    std::unique_ptr<Delivery> delivery;
    Done done;
  };
  void run();
  // Waits for work; false when it is time to stop.
  bool take_group(std::vector<std::unique_ptr<Delivery>>& group, std::vector<Done>& dones);
  // Repeats until the group is durable; false when stopped before.
  bool commit(std::vector<std::unique_ptr<Delivery>>& group);
  void set_problem(const std::string& problem);
  void retain();

  const std::unique_ptr<store::EventWriter> store_;
  Feed& feed_;
  const Retention retention_;
  const WallClock clock_;
  std::chrono::steady_clock::time_point next_retention_;

  mutable std::mutex mutex_;
  std::condition_variable changed_;
  std::deque<Item> queue_;
  std::vector<Wake> waiting_;
  WriterState state_;
  bool is_stopping_ = false;
  std::thread thread_;
};

}  // namespace aispm::collector
