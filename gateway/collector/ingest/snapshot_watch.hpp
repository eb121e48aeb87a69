// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <grpcpp/grpcpp.h>

#include <functional>
#include <memory>
#include <utility>

#include "gateway/collector/grpc_status.hpp"
#include "gateway/collector/ingest/links.hpp"
#include "gateway/collector/reactor_link.hpp"
#include "gateway/collector/workers.hpp"

namespace aispm::collector {

// One call that is answered with a snapshot at once and after every change. Changes that come while
// a snapshot is read or written fold into one more. gRPC owns it.
template <typename Snapshot>
class SnapshotWatch final : public grpc::ServerWriteReactor<Snapshot> {
 public:
  using Read = std::function<Result<Snapshot>(Desk&)>;

  // `may`: whether the caller may watch; the call ends with its error otherwise.
  SnapshotWatch(Workers& workers, Changes& changes, const Result<>& may, Read read)
      : workers_(workers),
        read_(std::move(read)),
        link_(std::make_shared<ReactorLink<SnapshotWatch>>(this)) {
    const std::lock_guard lock(link_->mutex);
    if (!may) {
      finish(to_grpc(may.error()));
      return;
    }
    // Watches first and reads then: a change in between costs one snapshot more, never one less.
    watch_ = changes.watch([weak = std::weak_ptr(link_)] {
      if (const auto held = weak.lock()) held->reach([](SnapshotWatch& watch) { watch.refresh(); });
    });
    refresh();
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
    link_->cut();
    delete this;
  }

 private:
  // All below: the link's mutex is held.
  void refresh() {
    if (is_finished_) return;
    is_stale_ = is_busy_;
    if (is_busy_) return;
    is_busy_ = true;
    auto posted = workers_.post([link = link_, read = read_](Desk& desk) {
      auto snapshot = read(desk);
      link->reach([&](SnapshotWatch& watch) { watch.send(std::move(snapshot)); });
    });
    if (!posted) finish(to_grpc(posted.error()));
  }
  void send(Result<Snapshot> snapshot) {
    if (is_finished_) return;
    if (!snapshot) return finish(to_grpc(snapshot.error()));
    snapshot_ = std::move(*snapshot);
    this->StartWrite(&snapshot_);
  }
  void finish(const grpc::Status& status) {
    if (is_finished_) return;
    is_finished_ = true;
    this->Finish(status);
  }

  Workers& workers_;
  const Read read_;
  const std::shared_ptr<ReactorLink<SnapshotWatch>> link_;
  std::shared_ptr<Changes::Wake> watch_;
  Snapshot snapshot_;
  bool is_busy_ = false;   // a snapshot is being read or written
  bool is_stale_ = false;  // something changed meanwhile
  bool is_finished_ = false;
};

}  // namespace aispm::collector
