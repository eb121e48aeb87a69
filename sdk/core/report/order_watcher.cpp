// SPDX-License-Identifier: Apache-2.0
#include "sdk/core/report/order_watcher.hpp"

#include <stop_token>
#include <thread>

#include "sdk/core/common/crypto.hpp"
#include "sdk/core/common/file.hpp"
#include "sdk/core/common/log.hpp"
#include "sdk/core/report/backoff.hpp"
#include "sdk/core/report/credentials.hpp"
#include "sdk/core/report/grpc_error.hpp"
#include "sdk/core/report/order_convert.hpp"
#include "sdk/core/report/snapshot_stream.hpp"

namespace aispm::report {
namespace {

constexpr std::size_t kMaxSnapshotBytes = 64U << 20;
constexpr std::size_t kHashDigits = 64;
constexpr std::chrono::seconds kAckLimit{10};

using OrderStream = SnapshotStream<v1::WatchOrdersRequest, v1::OrderSnapshot>;

// What cannot be understood is told to the collector and not obeyed.
std::vector<model::Order> orders_of(const v1::OrderSnapshot& snapshot,
                                    std::vector<OrderState>& refused) {
  std::vector<model::Order> orders;
  for (const v1::Order& one : snapshot.orders()) {
    auto order = from_proto(one);
    if (order)
      orders.push_back(std::move(*order));
    else
      refused.push_back({one.id(), order.error().message});
  }
  return orders;
}

class GrpcOrderWatcher final : public OrderWatcher {
 public:
  GrpcOrderWatcher(const ReporterOptions& options, OnChange on_change)
      : options_(options),
        cache_path_(options.state_folder + "/orders"),
        on_change_(std::move(on_change)),
        thread_([this](std::stop_token stop) { run(stop); }) {}

  void acknowledge(std::uint64_t version, std::vector<OrderState> states) override {
    const std::scoped_lock guard(mutex_);
    ack_.emplace();
    ack_->set_version(version);
    states.insert(states.end(), refused_.begin(), refused_.end());
    for (const OrderState& state : states) {
      auto* const one = ack_->add_states();
      one->set_order_id(state.order_id);
      one->set_problem(state.problem);
    }
    changed_.notify_all();
  }

 private:
  void run(const std::stop_token& stop) {
    announce_cache();
    std::string last_error;
    while (!stop.stop_requested()) {
      const Error ended = follow(stop);
      if (stop.stop_requested()) return;
      if (ended.message != last_error)
        log::warn("orders.disconnected",
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
    OrderStream stream(channel);
    stream.begin(
        [](v1::Ingest::Stub& stub, auto... arguments) { stub.async()->WatchOrders(arguments...); });
    const std::jthread teller([this, &channel](std::stop_token end) { tell(channel, end); });
    {
      const std::stop_callback cancel(stop, [&stream] { stream.cancel(); });
      while (const auto snapshot = stream.wait()) {
        backoff_.reset();
        announce(*snapshot);
      }
    }
    return from_grpc(stream.status(), "collector " + options_.collector);
  }

  // Passes on what was made of the orders, the latest word only, while this connection lasts.
  void tell(const std::shared_ptr<grpc::Channel>& channel, const std::stop_token& end) {
    const auto stub = v1::Ingest::NewStub(channel);
    std::optional<v1::AckOrdersRequest> told;
    for (;;) {
      v1::AckOrdersRequest ack;
      {
        std::unique_lock guard(mutex_);
        const auto has_news = [&] {
          return ack_ && (!told || told->SerializeAsString() != ack_->SerializeAsString());
        };
        if (!changed_.wait(guard, end, has_news)) return;
        ack = *ack_;
      }
      grpc::ClientContext context;
      context.set_deadline(std::chrono::system_clock::now() + kAckLimit);
      const std::stop_callback cancel(end, [&context] { context.TryCancel(); });
      v1::AckOrdersReply reply;
      const grpc::Status status = stub->AckOrders(&context, ack, &reply);
      if (end.stop_requested()) return;
      if (!status.ok()) {
        log::warn("orders.not_acknowledged", {{"reason", status.error_message()}});
        return;  // repeated over the next connection
      }
      told = std::move(ack);
    }
  }

  void announce(const v1::OrderSnapshot& snapshot) {
    const std::string bytes = snapshot.SerializeAsString();
    // Stored first: an order that was undone must not come back with the next start.
    if (auto stored = write_file_atomically(cache_path_, sha256_hex(bytes) + bytes, 0600); !stored)
      log::error("orders.store_failed", stored.error());
    pass_on(snapshot);
    log::info("orders.changed",
              {{"orders", snapshot.orders_size()}, {"version", snapshot.version()}});
  }

  void announce_cache() {
    const auto content = read_file(cache_path_, kMaxSnapshotBytes);
    v1::OrderSnapshot snapshot;
    if (!content && content.error().code == Errc::kNotFound) return pass_on(snapshot);
    if (content && content->size() >= kHashDigits &&
        sha256_hex(content->substr(kHashDigits)) == content->substr(0, kHashDigits) &&
        snapshot.ParseFromString(content->substr(kHashDigits)))
      return pass_on(snapshot);
    // What is pinned stays as it is until the collector answers.
    log::warn("orders.cache_unusable", {{"path", cache_path_}});
  }

  void pass_on(const v1::OrderSnapshot& snapshot) {
    std::vector<OrderState> refused;
    auto orders = orders_of(snapshot, refused);
    {
      const std::scoped_lock guard(mutex_);
      refused_ = std::move(refused);
    }
    on_change_(std::move(orders), snapshot.version());
  }

  const ReporterOptions options_;
  const std::string cache_path_;
  const OnChange on_change_;
  Backoff backoff_;
  std::mutex mutex_;  // guards the next two
  std::optional<v1::AckOrdersRequest> ack_;
  std::vector<OrderState> refused_;
  std::condition_variable_any changed_;
  std::jthread thread_;
};

}  // namespace

Result<std::unique_ptr<OrderWatcher>> OrderWatcher::open(const ReporterOptions& options,
                                                         OnChange on_change) {
  AISPM_TRY(const std::string host, host_of(options.collector));
  if (host.empty() || options.state_folder.empty())
    return fail(Errc::kInvalid,
                "order watcher: the collector's address or the state folder is missing");
  AISPM_CHECK(make_directories(options.state_folder, 0700));
  return std::make_unique<GrpcOrderWatcher>(options, std::move(on_change));
}

}  // namespace aispm::report
