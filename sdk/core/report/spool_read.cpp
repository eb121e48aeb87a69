// SPDX-License-Identifier: Apache-2.0
#include <fcntl.h>

#include <algorithm>

#include "sdk/core/common/log.hpp"
#include "sdk/core/report/spool.hpp"

namespace aispm::report {
namespace {

Result<std::string> read_at(int fd, std::uint64_t offset, std::size_t size) {
  std::string bytes(size, '\0');
  std::size_t done = 0;
  while (done < size) {
    const ssize_t count =
        ::pread(fd, bytes.data() + done, size - done, static_cast<off_t>(offset + done));
    if (count < 0 && errno == EINTR) continue;
    if (count < 0) return fail_errno("read the spool");
    if (count == 0) return fail(Errc::kInvalid, "spool file: cut short");
    done += static_cast<std::size_t>(count);
  }
  return bytes;
}

}  // namespace

void Spool::move_cursor(const Cursor& to) {
  if (to.segment != cursor_.segment) cursor_file_.reset();
  cursor_ = to;
}

// Puts the cursor on a durable record; false when there is none.
bool Spool::place_cursor() {
  const std::scoped_lock guard(mutex_);
  if (segments_.empty()) return false;
  if (cursor_.segment == 0)
    move_cursor({segments_.front().start.sequence, kSegmentHeaderBytes, segments_.front().start});
  for (;;) {
    // The segment itself, or the one behind it if it was deleted meanwhile (which only happens to
    // acknowledged ones).
    const auto at = std::find_if(
        segments_.begin(), segments_.end(),
        [this](const Segment& segment) { return segment.start.sequence >= cursor_.segment; });
    if (at == segments_.end()) return false;
    if (at->start.sequence != cursor_.segment)
      move_cursor({at->start.sequence, kSegmentHeaderBytes, at->start});
    const bool last = std::next(at) == segments_.end();
    if (cursor_.offset < (last ? durable_bytes_ : at->bytes)) {
      if (cursor_file_) return true;
      cursor_file_ = UniqueFd(::open(at->path.c_str(), O_RDONLY | O_CLOEXEC | O_NOFOLLOW));
      if (cursor_file_) return true;
      const int reason = errno;
      stats_.disk_error = fail_errno("open " + at->path, reason).value().message;
      if (reason != ENOENT) return false;  // may pass, e.g. too many open files
    }
    if (last) return false;
    move_cursor({std::next(at)->start.sequence, kSegmentHeaderBytes, cursor_.told});
  }
}

// Behind damage nothing in the file can be trusted: goes on with the next file. Its first record
// says what is missing.
void Spool::skip_damage() {
  const std::scoped_lock guard(mutex_);
  if (cursor_.segment == segments_.back().start.sequence) {
    active_is_damaged_ = true;
    return;
  }
  for (const Segment& segment : segments_) {
    if (segment.start.sequence <= cursor_.segment) continue;
    move_cursor({segment.start.sequence, kSegmentHeaderBytes, cursor_.told});
    return;
  }
}

Result<StoredBatch> Spool::read_at_cursor() {
  AISPM_TRY(const std::string head,
            read_at(cursor_file_.get(), cursor_.offset, kRecordHeaderBytes));
  AISPM_TRY(const RecordHeader header, decode_record_header(head));
  const SpoolPosition& at = header.position;
  const SpoolPosition& told = cursor_.told;
  if (at.sequence < told.sequence || at.events_before < told.events_before ||
      at.lost_before < told.lost_before)
    return fail(Errc::kInvalid, "spool file: a record out of order");
  StoredBatch batch;
  AISPM_TRY(batch.payload,
            read_at(cursor_file_.get(), cursor_.offset + kRecordHeaderBytes, header.payload_bytes));
  if (crc32(batch.payload) != header.payload_crc)
    return fail(Errc::kInvalid, "spool file: checksum mismatch");
  batch.sequence = at.sequence;
  batch.events = header.events;
  const std::uint64_t damaged = at.events_before - told.events_before;
  batch.lost_before = (at.lost_before - told.lost_before) + damaged;
  if (damaged > 0 && at.events_before > damage_counted_) {
    const std::scoped_lock guard(mutex_);
    stats_.lost_disk += damaged;
    damage_counted_ = at.events_before;
  }
  cursor_.offset += header.record_bytes();
  cursor_.told = {at.sequence + 1, at.events_before + header.events, at.lost_before};
  return batch;
}

Result<std::optional<StoredBatch>> Spool::next() {
  while (!active_is_damaged_ && place_cursor()) {
    auto batch = read_at_cursor();
    if (batch) return std::optional(std::move(*batch));
    log::warn("spool.damage_skipped",
              {{"segment", cursor_.segment}, {"reason", batch.error().message}});
    skip_damage();
  }
  return std::optional<StoredBatch>();
}

Result<bool> Spool::rewind(std::uint64_t acknowledged) {
  bool is_known = false;
  {
    const std::scoped_lock guard(mutex_);
    is_known = acknowledged < durable_.sequence;
    cursor_file_.reset();
    cursor_ = {};
    for (const Segment& segment : segments_)
      if (cursor_.segment == 0 || segment.start.sequence <= acknowledged + 1)
        cursor_ = {segment.start.sequence, kSegmentHeaderBytes, segment.start};
  }
  if (!is_known) {
    log::warn("spool.history_differs", {{"acknowledged", acknowledged}});
    cursor_ = {};
    AISPM_CHECK(make_producer_id());
    return false;
  }
  for (;;) {
    const Cursor before = cursor_;
    AISPM_TRY(const std::optional<StoredBatch> batch, next());
    if (batch && batch->sequence <= acknowledged) continue;
    if (batch) move_cursor(before);
    break;
  }
  acknowledge(acknowledged);
  return true;
}

}  // namespace aispm::report
