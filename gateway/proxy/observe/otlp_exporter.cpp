// SPDX-License-Identifier: Apache-2.0
#include "gateway/proxy/observe/otlp_exporter.hpp"

#include <algorithm>
#include <boost/asio/co_spawn.hpp>
#include <boost/asio/detached.hpp>

#include "gateway/net/watchdog.hpp"
#include "gateway/proxy/providers/upstream.hpp"
#include "sdk/core/common/log.hpp"
#include "sdk/core/common/time.hpp"

namespace aispm::gateway {
namespace {

// A refusal that another attempt would meet again, unlike an error of transport.
bool is_final(const Result<>& delivered) {
  return !delivered && delivered.error().code == Errc::kInvalid;
}

struct Delivery {
  const Provider& target;
  std::string head;
  const std::string& body;
  std::chrono::milliseconds timeout;
};

net::Task<> post(net::asio::io_context& context, net::Watchdog& watchdog, UpstreamPool& pool,
                 const Delivery& delivery) {
  net::Stream* in_flight = nullptr;
  const UpstreamRequest request{
      .head = delivery.head, .body = delivery.body, .method = "POST", .may_repeat = false};
  const UpstreamLimits limits{.connect = delivery.timeout, .silence = delivery.timeout};
  AISPM_CO_TRY(const UpstreamReply reply, co_await ask_upstream(context, watchdog, delivery.target,
                                                                pool, request, limits, &in_flight));
  const unsigned status = reply.head.status;
  if (status >= 200 && status < 300) co_return Result<>{};
  const bool may_pass = status == 429 || status == 502 || status == 503 || status == 504;
  co_return fail(may_pass ? Errc::kUnavailable : Errc::kInvalid,
                 "answered with status " + std::to_string(status));
}

net::asio::awaitable<void> run_delivery(net::asio::io_context& context, net::Watchdog& watchdog,
                                        UpstreamPool& pool, const Delivery& delivery,
                                        Result<>& result) {
  result = co_await net::with_deadline(post(context, watchdog, pool, delivery), delivery.timeout);
  pool.clear();
  watchdog.stop();
}

}  // namespace

Result<std::unique_ptr<OtlpExporter>> OtlpExporter::open(const OtlpConfig& config,
                                                         OtlpResource resource) {
  ProviderConfig endpoint;
  endpoint.name = "otlp";
  endpoint.origin = config.origin;
  endpoint.ca_file = config.ca_file;
  endpoint.key = config.key;
  endpoint.allow_private = config.allow_private;
  AISPM_TRY(std::shared_ptr<Provider> target, Provider::open(endpoint));
  return std::unique_ptr<OtlpExporter>(
      new OtlpExporter(config, std::move(resource), std::move(target)));
}

OtlpExporter::OtlpExporter(const OtlpConfig& config, OtlpResource resource,
                           std::shared_ptr<Provider> target)
    : config_(config),
      resource_(std::move(resource)),
      target_(std::move(target)),
      metrics_(static_cast<std::uint64_t>(wall_now().nanoseconds)),
      thread_([this] { run(); }) {}

OtlpExporter::~OtlpExporter() {
  {
    const std::lock_guard lock(mutex_);
    stopping_ = true;
  }
  wake_.notify_all();
  thread_.join();
}

void OtlpExporter::offer(SpanRecord span) {
  bool is_much = false;
  {
    const std::lock_guard lock(mutex_);
    if (queue_.size() >= config_.queue) {
      ++state_.dropped;
      return;
    }
    queue_.push_back(std::move(span));
    is_much = queue_.size() == kBatch;
  }
  if (is_much) wake_.notify_one();
}

OtlpExporter::State OtlpExporter::state() const {
  const std::lock_guard lock(mutex_);
  State state = state_;
  state.waiting = queue_.size();
  return state;
}

bool OtlpExporter::wait_for_spans(std::vector<SpanRecord>& batch) {
  std::unique_lock lock(mutex_);
  wake_.wait_for(lock, config_.interval, [this] { return stopping_ || queue_.size() >= kBatch; });
  batch.clear();
  if (stopping_) return false;
  take_batch(batch);
  return true;
}

// With the lock held.
void OtlpExporter::take_batch(std::vector<SpanRecord>& batch) {
  batch.clear();
  while (!queue_.empty() && batch.size() < kBatch) {
    batch.push_back(std::move(queue_.front()));
    queue_.pop_front();
  }
}

bool OtlpExporter::pause(std::chrono::milliseconds time) {
  std::unique_lock lock(mutex_);
  return !wake_.wait_for(lock, time, [this] { return stopping_; });
}

void OtlpExporter::note(const Result<>& delivered) {
  const std::lock_guard lock(mutex_);
  if (delivered) {
    state_.last_error.clear();
    return;
  }
  ++state_.failures;
  if (state_.last_error.empty()) log::warn("otlp.failing", {{"reason", delivered.error().message}});
  state_.last_error = delivered.error().message;
}

Result<> OtlpExporter::deliver(const std::string& path, const std::string& body,
                               std::chrono::milliseconds timeout) {
  std::string head = "POST " + config_.path + path + " HTTP/1.1\r\n";
  head.append(target_->request_lines());
  head.append("user-agent: aispm-gateway\r\nconnection: close\r\n")
      .append("content-type: application/x-protobuf\r\ncontent-length: ")
      .append(std::to_string(body.size()))
      .append("\r\n\r\n");
  net::asio::io_context context(1);
  net::Watchdog watchdog(context);
  UpstreamPool pool;
  const Delivery delivery{*target_, std::move(head), body, timeout};
  Result<> result = fail(Errc::kInternal, "was not tried");
  net::asio::co_spawn(context, run_delivery(context, watchdog, pool, delivery, result),
                      net::asio::detached);
  context.run();
  note(result);
  return result;
}

// Whether all of the batch is dealt with: delivered, or dropped.
bool OtlpExporter::deliver_spans(const std::vector<SpanRecord>& batch) {
  if (batch.empty()) return true;
  for (const SpanRecord& span : batch) metrics_.add(span);
  const std::string body = encode_spans(batch, resource_);
  std::chrono::milliseconds time = std::min<std::chrono::milliseconds>(config_.interval, kMaxPause);
  for (unsigned attempt = 1; attempt <= kAttempts; ++attempt) {
    const Result<> delivered = deliver("/v1/traces", body, config_.timeout);
    if (delivered) {
      const std::lock_guard lock(mutex_);
      state_.sent += batch.size();
      return true;
    }
    if (is_final(delivered) || attempt == kAttempts || !pause(time)) break;
    time = std::min<std::chrono::milliseconds>(2 * time, kMaxPause);
  }
  const std::lock_guard lock(mutex_);
  state_.dropped += batch.size();
  return false;
}

void OtlpExporter::run() {
  std::vector<SpanRecord> batch;
  bool goes_on = true;
  while (goes_on) {
    goes_on = wait_for_spans(batch);
    // Metrics are sums since the start: a failed delivery loses none of them.
    if (deliver_spans(batch) && !batch.empty())
      (void)deliver("/v1/metrics",
                    metrics_.encode(static_cast<std::uint64_t>(wall_now().nanoseconds), resource_),
                    config_.timeout);
  }
  flush();
}

void OtlpExporter::flush() {
  using Clock = std::chrono::steady_clock;
  const Clock::time_point until = Clock::now() + config_.timeout;
  const auto left = [&] {
    return std::chrono::duration_cast<std::chrono::milliseconds>(until - Clock::now());
  };
  std::vector<SpanRecord> batch;
  bool has_sent = false;
  while (left().count() > 0) {
    {
      const std::lock_guard lock(mutex_);
      take_batch(batch);
    }
    if (batch.empty()) break;
    for (const SpanRecord& span : batch) metrics_.add(span);
    has_sent = deliver("/v1/traces", encode_spans(batch, resource_), left()).has_value();
    const std::lock_guard lock(mutex_);
    (has_sent ? state_.sent : state_.dropped) += batch.size();
    if (!has_sent) break;
  }
  if (has_sent && left().count() > 0)
    (void)deliver("/v1/metrics",
                  metrics_.encode(static_cast<std::uint64_t>(wall_now().nanoseconds), resource_),
                  left());
  const std::lock_guard lock(mutex_);
  state_.dropped += queue_.size();
  if (state_.dropped > 0) log::warn("otlp.dropped", {{"spans", state_.dropped}});
}

}  // namespace aispm::gateway
