// SPDX-License-Identifier: Apache-2.0
#include "gateway/collector/ingest/key_watch.hpp"

#include <mutex>

#include "gateway/collector/grpc_status.hpp"

namespace aispm::collector {
namespace {

namespace pb = aispm::v1;

// Changes that come while a snapshot is read or written fold into one more snapshot.
class KeyWatch : public grpc::ServerWriteReactor<pb::AgentKeySnapshot> {
 public:
  KeyWatch(const IngestSurroundings& surroundings, Result<pki::Identity> identity)
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
    KeyWatch* stream = nullptr;
  };

  // All below: the link's mutex is held.
  void start(Result<pki::Identity> identity) {
    if (!identity) return finish(to_grpc(identity.error()));
    if (identity->component != "gateway")
      return finish({grpc::StatusCode::PERMISSION_DENIED, "only gateways may watch agent keys"});
    // Watches first and reads then: a change in between costs one snapshot more, never one less.
    watch_ = surroundings_.key_changes.watch([weak = std::weak_ptr(link_)] {
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
    auto posted =
        surroundings_.workers.post([link = link_, tenant = surroundings_.tenant](Desk& desk) {
          auto snapshot = desk.registry.agent_keys(tenant);
          const std::lock_guard lock(link->mutex);
          if (link->stream != nullptr) link->stream->send(std::move(snapshot));
        });
    if (!posted) finish(to_grpc(posted.error()));
  }
  void send(Result<pb::AgentKeySnapshot> snapshot) {
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
  std::shared_ptr<KeyChanges::Wake> watch_;
  pb::AgentKeySnapshot snapshot_;
  bool is_busy_ = false;   // a snapshot is being read or written
  bool is_stale_ = false;  // something changed meanwhile
  bool is_finished_ = false;
};

}  // namespace

grpc::ServerWriteReactor<pb::AgentKeySnapshot>* make_key_watch(
    const IngestSurroundings& surroundings, Result<pki::Identity> identity) {
  return new KeyWatch(surroundings, std::move(identity));
}

}  // namespace aispm::collector
