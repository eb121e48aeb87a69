// SPDX-License-Identifier: Apache-2.0
#include "sdk/core/report/order_watcher.hpp"

#include <stop_token>

#include "sdk/core/report/order_convert.hpp"
#include "sdk/core/report/snapshot_follower.hpp"

namespace aispm::report {
namespace {

constexpr std::chrono::seconds kAckLimit{10};

using OrderFollower = SnapshotFollower<v1::WatchOrdersRequest, v1::OrderSnapshot>;

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
      : on_change_(std::move(on_change)), follower_(options, subject()) {}

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
  // With a damaged file, what is pinned stays as it is until the collector answers.
  OrderFollower::Subject subject() {
    return {
        .name = "orders",
        .call = [](v1::Ingest::Stub& stub, auto... rest) { stub.async()->WatchOrders(rest...); },
        .take = [this](const v1::OrderSnapshot& snapshot) { pass_on(snapshot); },
        .take_nothing = [this] { pass_on({}); },
        .meanwhile = [this](const auto& channel,
                            const std::stop_token& end) { tell(channel, end); }};
  }

  // Passes on what was made of the orders, the latest word only and until it is taken, while this
  // connection lasts.
  void tell(const std::shared_ptr<grpc::Channel>& channel, const std::stop_token& end) {
    const auto stub = v1::Ingest::NewStub(channel);
    std::optional<v1::AckOrdersRequest> told;
    Backoff pause;
    while (!end.stop_requested()) {
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
      if (status.ok()) {
        told = std::move(ack);
        pause.reset();
        continue;
      }
      log::warn("orders.not_acknowledged", {{"reason", status.error_message()}});
      std::unique_lock guard(mutex_);
      std::condition_variable_any().wait_for(guard, end, pause.next(), [] { return false; });
    }
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

  const OnChange on_change_;
  std::mutex mutex_;  // guards the next two
  std::optional<v1::AckOrdersRequest> ack_;
  std::vector<OrderState> refused_;
  std::condition_variable_any changed_;
  OrderFollower follower_;
};

}  // namespace

Result<std::unique_ptr<OrderWatcher>> OrderWatcher::open(const ReporterOptions& options,
                                                         OnChange on_change) {
  AISPM_CHECK(prepare_to_follow(options));
  return std::make_unique<GrpcOrderWatcher>(options, std::move(on_change));
}

}  // namespace aispm::report
