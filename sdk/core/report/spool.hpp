// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <atomic>
#include <cstdint>
#include <deque>
#include <memory>
#include <mutex>
#include <optional>
#include <string>

#include "sdk/core/common/result.hpp"
#include "sdk/core/common/unique_fd.hpp"
#include "sdk/core/report/segment.hpp"

namespace aispm::report {

struct SpoolStats {
  std::uint64_t bytes = 0;
  std::uint64_t lost_full = 0;   // events refused because the cap was reached, since open()
  std::uint64_t lost_disk = 0;   // events a disk error or damage cost, since open()
  std::uint64_t torn_bytes = 0;  // bytes cut off at open(): a write that a crash interrupted
  std::string disk_error;  // the last disk error and what to do; empty once a write succeeded again
};

// A batch as it lies on disk.
struct StoredBatch {
  std::uint64_t sequence = 0;
  std::uint32_t events = 0;
  std::uint64_t lost_before = 0;  // events missing between the batch before and this one
  std::string payload;            // serialized aispm.v1.EventBatch without lost_before
};

// Batches on disk between a daemon and the collector: append-only segment files, deleted once
// acknowledged.
//
// Durability: `append` only writes; `sync` makes all appended batches durable (one fdatasync) and
// only then shows them to `next`. So nothing leaves the host that a crash could take back, and a
// sequence number never stands for two contents. At the cap the newest events are refused, not the
// oldest dropped: what is recorded cannot be pushed out by a flood. Whatever is lost is counted in
// a small file of its own and told to the collector by `lost_before` of the next batch.
//
// Threads: one writer (append, sync) and one reader (rewind, next, acknowledge) may run at the same
// time; stats from any.
class Spool {
 public:
  static constexpr std::uint64_t kMinCapBytes = 64U << 10;
  static constexpr std::uint64_t kMaxCapBytes = std::uint64_t{1} << 40;

  // Takes a lock on the folder (kExists when another process has it), cuts off what a crash left
  // half written.
  static Result<std::unique_ptr<Spool>> open(const std::string& folder, std::uint64_t cap_bytes);

  // Random id that goes with the sequence numbers. Made anew when the spool's history is gone.
  std::string producer_id() const;

  // Writes one batch. `events_bytes` are the serialized `events` fields of an EventBatch.
  // kExhausted when the cap or the disk is full, kUnavailable on other disk errors; either way the
  // events are counted as lost and the spool goes on.
  Result<> append(std::string_view events_bytes, std::uint32_t events);
  // On failure the batches since the last success are lost and counted.
  Result<> sync();
  // Counts events that were lost before they reached the spool, so that the collector is told of
  // them too.
  void add_loss(std::uint64_t events);
  // Lost events that no batch has told yet. An append of no events tells them.
  std::uint64_t untold_losses() const;

  // The next batch to send, or nothing at the end. Damaged batches are skipped and show up in
  // `lost_before`.
  Result<std::optional<StoredBatch>> next();
  // Continues behind the batch `acknowledged`. When the collector knows more than was ever written,
  // the history here is not the one it knows: takes a new producer id, returns false, and the
  // caller says hello again.
  Result<bool> rewind(std::uint64_t acknowledged);
  // Everything up to and including `sequence` may be deleted.
  void acknowledge(std::uint64_t sequence);

  SpoolStats stats() const;

 private:
  struct Segment {
    std::string path;
    SpoolPosition start;
    std::uint64_t bytes = 0;  // good ones; of the last segment including those not yet durable
  };
  struct Cursor {
    std::uint64_t segment = 0;  // first sequence of the segment; 0 = not placed yet
    std::uint64_t offset = 0;
    SpoolPosition told;  // end of the last batch given out
  };

  Spool(std::string folder, std::uint64_t cap_bytes);
  Result<> load();
  Result<> load_segments();
  Result<> cut_torn_tail(const SegmentScan& scan);
  Result<> load_losses();
  Result<> load_producer_id();
  Result<> make_producer_id();

  Result<> start_segment();
  Result<> write_record(std::string_view payload, std::uint32_t events);
  Result<> store_losses();
  void lose(std::uint64_t SpoolStats::*cause, std::uint64_t events);
  tl::unexpected<Error> lose_on_disk(std::uint64_t events, Error error);
  tl::unexpected<Error> give_up_unsynced(int reason);
  bool make_room(std::uint64_t bytes);
  void delete_acknowledged();

  bool place_cursor();
  void move_cursor(const Cursor& to);
  void skip_damage();
  Result<StoredBatch> read_at_cursor();

  const std::string folder_;
  const std::uint64_t cap_bytes_;
  const std::uint64_t segment_bytes_;
  UniqueFd lock_;
  UniqueFd losses_;

  // Writer's own.
  UniqueFd active_;
  std::uint64_t active_bytes_ = 0;
  bool broken_ = false;         // the active segment must not be written any more
  std::uint64_t unsynced_ = 0;  // events appended since the last sync

  // Reader's own.
  Cursor cursor_;
  UniqueFd cursor_file_;
  std::uint64_t damage_counted_ = 0;  // `events_before` up to which damage is in stats_

  std::atomic<bool> active_is_damaged_ = false;  // the reader asks the writer for a new segment
  mutable std::mutex mutex_;                     // guards what follows
  std::string producer_id_;
  std::deque<Segment> segments_;
  SpoolPosition next_;               // of the next append
  SpoolPosition durable_;            // of the first batch that is not durable
  std::uint64_t durable_bytes_ = 0;  // of the last segment
  std::uint64_t acknowledged_ = 0;
  std::uint64_t lost_total_ = 0;
  bool losses_changed_ = false;
  SpoolStats stats_;
};

}  // namespace aispm::report
