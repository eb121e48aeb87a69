// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <condition_variable>
#include <cstdint>
#include <deque>
#include <memory>
#include <mutex>
#include <string>
#include <thread>
#include <vector>

#include "gateway/proxy/observe/observe_config.hpp"
#include "gateway/proxy/observe/otlp_encode.hpp"
#include "sdk/core/common/result.hpp"

namespace aispm::gateway {

class Provider;

// Sends spans and metrics to an OTLP collector from a thread of its own. What does not fit into the
// queue, or could not be delivered in kAttempts, is dropped and counted.
class OtlpExporter {
 public:
  static constexpr std::size_t kBatch = 512;
  static constexpr unsigned kAttempts = 5;
  static constexpr std::chrono::seconds kMaxPause{30};

  static Result<std::unique_ptr<OtlpExporter>> open(const OtlpConfig& config,
                                                    OtlpResource resource);
  // Delivers what waits, batch after batch, for at most the configured timeout (and what is on its
  // way for its own); what is left then is counted and told in the log.
  ~OtlpExporter();
  OtlpExporter(const OtlpExporter&) = delete;
  OtlpExporter& operator=(const OtlpExporter&) = delete;

  // Any thread; never waits for the network.
  void offer(SpanRecord span);

  struct State {
    std::uint64_t sent = 0;     // spans that were accepted
    std::uint64_t dropped = 0;  // spans that nobody will see
    std::uint64_t waiting = 0;
    std::uint64_t failures = 0;  // deliveries
    std::string last_error;      // "" = the last one went well
  };
  State state() const;

 private:
  OtlpExporter(const OtlpConfig& config, OtlpResource resource, std::shared_ptr<Provider> target);
  void run();
  bool wait_for_spans(std::vector<SpanRecord>& batch);
  // False: asked to stop meanwhile.
  bool pause(std::chrono::milliseconds time);
  bool deliver_spans(const std::vector<SpanRecord>& batch);
  Result<> deliver(const std::string& path, const std::string& body,
                   std::chrono::milliseconds timeout);
  void take_batch(std::vector<SpanRecord>& batch);
  void flush();
  void note(const Result<>& delivered);

  const OtlpConfig config_;
  const OtlpResource resource_;
  const std::shared_ptr<Provider> target_;
  OtlpMetrics metrics_;  // of the thread
  mutable std::mutex mutex_;
  std::condition_variable wake_;
  std::deque<SpanRecord> queue_;
  State state_;
  bool stopping_ = false;
  std::thread thread_;
};

}  // namespace aispm::gateway
