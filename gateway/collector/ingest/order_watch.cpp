// SPDX-License-Identifier: Apache-2.0
#include "gateway/collector/ingest/order_watch.hpp"

#include <mutex>

#include "gateway/collector/grpc_status.hpp"
#include "gateway/collector/store/order_book.hpp"

namespace aispm::collector {
namespace {

namespace pb = aispm::v1;

// Changes that come while a snapshot is read or written fold into one more snapshot.
class OrderWatch : public grpc::ServerWriteReactor<pb::OrderSnapshot> {
 public:
  OrderWatch(const IngestSurroundings& surroundings, Result<pki::Identity> identity)
      : surroundings_(surroundings), link_(std::make_shared<Link>()) {
    link_->stream = this;
    const std::lock_guard lock(link_->mutex);
    start(std::move(identity));
  }

  void OnWriteDone(bool ok) override {
    const std::lock_guard lock(link_->mutex);
    is_busy_ = false;
    if (!ok) return finish(grpc::Status::CANCELLED);
    if (is_stale_) refresh();
  }
  void OnCancel() override {
    const std::lock_guard lock(link_->mutex);
    finish(grpc::Status::CANCELLED);
  }
  void OnDone() override {
    {
      const std::lock_guard lock(link_->mutex);
      link_->stream = nullptr;
    }
    delete this;
  }

 private:
  struct Link {
    std::mutex mutex;
    OrderWatch* stream = nullptr;
  };

  // All below: the link's mutex is held.
  void start(Result<pki::Identity> identity) {
    if (!identity) return finish(to_grpc(identity.error()));
    if (identity->component != "sensord")
      return finish({grpc::StatusCode::PERMISSION_DENIED, "only sensors may watch orders"});
    host_id_ = identity->host_id;
    // Watches first and reads then: a change in between costs one snapshot more, never one less.
    watch_ = surroundings_.order_changes.watch([weak = std::weak_ptr(link_)] {
      const auto held = weak.lock();
      if (!held) return;
      const std::lock_guard held_lock(held->mutex);
      if (held->stream != nullptr) held->stream->refresh();
    });
    refresh();
  }
  void refresh() {
    if (is_finished_) return;
    is_stale_ = is_busy_;
    if (is_busy_) return;
    is_busy_ = true;
    auto posted = surroundings_.workers.post(
        [link = link_, host = host_id_, clock = surroundings_.clock](Desk& desk) {
          auto snapshot = store::OrderBook(desk.database).snapshot_for(host, clock());
          const std::lock_guard lock(link->mutex);
          if (link->stream != nullptr) link->stream->send(std::move(snapshot));
        });
    if (!posted) finish(to_grpc(posted.error()));
  }
  void send(Result<pb::OrderSnapshot> snapshot) {
    if (is_finished_) return;
    if (!snapshot) return finish(to_grpc(snapshot.error()));
    snapshot_ = std::move(*snapshot);
    StartWrite(&snapshot_);
  }
  void finish(const grpc::Status& status) {
    if (is_finished_) return;
    is_finished_ = true;
    Finish(status);
  }

  const IngestSurroundings& surroundings_;
  const std::shared_ptr<Link> link_;
  std::shared_ptr<OrderChanges::Wake> watch_;
  std::string host_id_;
  pb::OrderSnapshot snapshot_;
  bool is_busy_ = false;   // a snapshot is being read or written
  bool is_stale_ = false;  // something changed meanwhile
  bool is_finished_ = false;
};

}  // namespace

grpc::ServerWriteReactor<pb::OrderSnapshot>* make_order_watch(
    const IngestSurroundings& surroundings, Result<pki::Identity> identity) {
  return new OrderWatch(surroundings, std::move(identity));
}

void answer_order_ack(const IngestSurroundings& surroundings, const Result<pki::Identity>& identity,
                      const pb::AckOrdersRequest& request, grpc::ServerUnaryReactor* reactor) {
  if (!identity) return reactor->Finish(to_grpc(identity.error()));
  if (identity->component != "sensord")
    return reactor->Finish({grpc::StatusCode::PERMISSION_DENIED, "only sensors may do this"});
  auto posted = surroundings.workers.post(
      [reactor, request, host = identity->host_id, clock = surroundings.clock](Desk& desk) {
        auto done = store::OrderBook(desk.database).acknowledge(host, request, clock());
        reactor->Finish(done ? grpc::Status::OK : to_grpc(done.error()));
      });
  if (!posted) reactor->Finish(to_grpc(posted.error()));
}

}  // namespace aispm::collector
