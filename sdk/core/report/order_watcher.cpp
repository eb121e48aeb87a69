// SPDX-License-Identifier: Apache-2.0
#include "sdk/core/report/order_watcher.hpp"

#include <mutex>
#include <optional>

#include "sdk/core/report/ack_sender.hpp"
#include "sdk/core/report/order_convert.hpp"
#include "sdk/core/report/snapshot_follower.hpp"

namespace aispm::report {
namespace {

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
      : on_change_(std::move(on_change)),
        acks_("orders", &v1::Ingest::Stub::AckOrders),
        follower_(options, subject()) {}

  void acknowledge(std::uint64_t version, std::vector<OrderState> states) override {
    const std::scoped_lock guard(mutex_);
    states.insert(states.end(), refused_.begin(), refused_.end());
    v1::AckOrdersRequest ack;
    ack.set_version(version);
    for (const OrderState& state : states) {
      auto* const one = ack.add_states();
      one->set_order_id(state.order_id);
      one->set_problem(state.problem);
    }
    ack_ = std::move(ack);
    if (is_stored_) say();
  }

 private:
  // With a damaged file, what is pinned stays as it is until the collector answers. A freeze is in
  // force before it is on the disk, which may be busy; the word on it waits for that.
  OrderFollower::Subject subject() {
    return {
        .name = "orders",
        .call = [](v1::Ingest::Stub& stub, auto... rest) { stub.async()->WatchOrders(rest...); },
        .take = [this](const v1::OrderSnapshot& snapshot) { pass_on(snapshot); },
        .take_nothing = [this] { pass_on({}); },
        .meanwhile = [this](const auto& channel,
                            const std::stop_token& end) { acks_.run(channel, end); },
        .stored = [this](const Result<>& stored) { note_stored(stored); },
        .is_urgent = true};
  }

  void pass_on(const v1::OrderSnapshot& snapshot) {
    std::vector<OrderState> refused;
    auto orders = orders_of(snapshot, refused);
    {
      const std::scoped_lock guard(mutex_);
      refused_ = std::move(refused);
      is_stored_ = false;
    }
    on_change_(std::move(orders), snapshot.version());
  }

  void note_stored(const Result<>& stored) {
    const std::scoped_lock guard(mutex_);
    kept_ = stored ? "" : "not kept over a restart: " + stored.error().message;
    is_stored_ = true;
    if (ack_) say();
  }

  // mutex_ is held.
  void say() {
    v1::AckOrdersRequest ack = *ack_;
    for (auto& state : *ack.mutable_states())
      if (state.problem().empty()) state.set_problem(kept_);
    acks_.say(std::move(ack));
  }

  const OnChange on_change_;
  std::mutex mutex_;  // guards the next four
  std::vector<OrderState> refused_;
  std::optional<v1::AckOrdersRequest> ack_;  // without what is not kept
  std::string kept_;
  bool is_stored_ = false;  // what the collector sent last
  AckSender<v1::AckOrdersRequest, v1::AckOrdersReply> acks_;
  OrderFollower follower_;
};

}  // namespace

Result<std::unique_ptr<OrderWatcher>> OrderWatcher::open(const ReporterOptions& options,
                                                         OnChange on_change) {
  AISPM_CHECK(prepare_to_follow(options));
  return std::make_unique<GrpcOrderWatcher>(options, std::move(on_change));
}

}  // namespace aispm::report
