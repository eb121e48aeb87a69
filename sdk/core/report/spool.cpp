// SPDX-License-Identifier: Apache-2.0
#include "sdk/core/report/spool.hpp"

#include <fcntl.h>
#include <sys/stat.h>

#include <algorithm>

#include "sdk/core/common/log.hpp"

namespace aispm::report {
namespace {

constexpr std::size_t kLossRecordBytes = 12;

void put_varint(std::string& out, std::uint64_t value) {
  while (value >= 0x80) {
    out += static_cast<char>(value | 0x80);
    value >>= 7;
  }
  out += static_cast<char>(value);
}

Result<> write_at(int fd, std::string_view bytes, std::uint64_t offset) {
  while (!bytes.empty()) {
    const ssize_t count = ::pwrite(fd, bytes.data(), bytes.size(), static_cast<off_t>(offset));
    if (count < 0 && errno == EINTR) continue;
    if (count < 0) return fail_errno("write to the spool");
    bytes.remove_prefix(static_cast<std::size_t>(count));
    offset += static_cast<std::uint64_t>(count);
  }
  return {};
}

}  // namespace

std::string Spool::producer_id() const {
  const std::scoped_lock guard(mutex_);
  return producer_id_;
}

std::uint64_t Spool::untold_losses() const {
  const std::scoped_lock guard(mutex_);
  return lost_total_ - next_.lost_before;
}

SpoolStats Spool::stats() const {
  const std::scoped_lock guard(mutex_);
  SpoolStats stats = stats_;
  for (const Segment& segment : segments_) stats.bytes += segment.bytes;
  return stats;
}

void Spool::add_loss(std::uint64_t events) {
  const std::scoped_lock guard(mutex_);
  lost_total_ += events;
  losses_changed_ = losses_changed_ || events > 0;
}

// Caller holds the lock.
void Spool::lose(std::uint64_t SpoolStats::*cause, std::uint64_t events) {
  stats_.*cause += events;
  lost_total_ += events;
  losses_changed_ = losses_changed_ || events > 0;
}

// Caller holds the lock.
tl::unexpected<Error> Spool::lose_on_disk(std::uint64_t events, Error error) {
  lose(&SpoolStats::lost_disk, events);
  stats_.disk_error = folder_ + ": " + error.message + "; free or mend the disk";
  return fail(std::move(error));
}

Result<> Spool::append(std::string_view events_bytes, std::uint32_t events) {
  std::string payload;
  payload.reserve(events_bytes.size() + 12);
  payload += '\x08';  // EventBatch.sequence
  put_varint(payload, next_.sequence);
  payload += events_bytes;
  const std::uint64_t bytes = kRecordHeaderBytes + payload.size();
  {
    const std::scoped_lock guard(mutex_);
    if (payload.size() > kMaxPayloadBytes || !make_room(bytes)) {
      lose(&SpoolStats::lost_full, events);
      return fail(Errc::kExhausted, folder_ + ": the spool has reached its cap of " +
                                        std::to_string(cap_bytes_) + " bytes");
    }
  }
  const bool full = active_bytes_ > kSegmentHeaderBytes && active_bytes_ + bytes > segment_bytes_;
  if (full || broken_ || !active_ || active_is_damaged_) {
    if (!sync()) broken_ = true;  // what it lost is counted there
    if (auto started = start_segment(); !started) {
      const std::scoped_lock guard(mutex_);
      return lose_on_disk(events, std::move(started).error());
    }
  }
  return write_record(payload, events);
}

// Only this thread changes next_, so it may read it without the lock.
Result<> Spool::write_record(std::string_view payload, std::uint32_t events) {
  SpoolPosition position = next_;
  {
    const std::scoped_lock guard(mutex_);
    position.lost_before = lost_total_;
  }
  std::string record = encode_record_header(position, events, payload);
  record += payload;
  if (auto written = write_at(active_.get(), record, active_bytes_); !written) {
    // A half-written record would hide those behind it.
    if (::ftruncate(active_.get(), static_cast<off_t>(active_bytes_)) != 0) broken_ = true;
    const std::scoped_lock guard(mutex_);
    return lose_on_disk(events, std::move(written).error());
  }
  unsynced_ += events;
  active_bytes_ += record.size();
  const std::scoped_lock guard(mutex_);
  segments_.back().bytes = active_bytes_;
  next_ = {position.sequence + 1, position.events_before + events, position.lost_before};
  return {};
}

Result<> Spool::sync() {
  if (active_ && next_ != durable_) {
    const bool failed = ::fdatasync(active_.get()) != 0;
    const int reason = errno;
    const std::scoped_lock guard(mutex_);
    if (failed) return give_up_unsynced(reason);
    durable_ = next_;
    durable_bytes_ = active_bytes_;
    unsynced_ = 0;
    stats_.disk_error.clear();
  }
  return store_losses();
}

// Caller holds the lock. After a failed fsync the kernel may have dropped the pages, and a second
// fsync would not tell.
tl::unexpected<Error> Spool::give_up_unsynced(int reason) {
  broken_ = true;
  next_ = durable_;
  active_bytes_ = durable_bytes_;
  segments_.back().bytes = durable_bytes_;
  if (::ftruncate(active_.get(), static_cast<off_t>(durable_bytes_)) != 0)
    log::warn("spool.truncate_failed", {{"errno", errno}});
  return lose_on_disk(std::exchange(unsynced_, 0), fail_errno("fdatasync", reason).value());
}

Result<> Spool::store_losses() {
  std::uint64_t total = 0;
  {
    const std::scoped_lock guard(mutex_);
    if (!losses_changed_) return {};
    total = lost_total_;
    losses_changed_ = false;
  }
  std::string bytes;
  for (int i = 0; i < 8; ++i) bytes += static_cast<char>(total >> (8 * i));
  const std::uint32_t crc = crc32(bytes);
  for (int i = 0; i < 4; ++i) bytes += static_cast<char>(crc >> (8 * i));
  static_assert(kLossRecordBytes == 12);
  Result<> written = write_at(losses_.get(), bytes, 0);
  if (written && ::fdatasync(losses_.get()) != 0) written = fail_errno("fdatasync");
  if (written) return {};
  const std::scoped_lock guard(mutex_);
  losses_changed_ = true;
  return lose_on_disk(0, std::move(written).error());
}

Result<> Spool::start_segment() {
  char name[32];
  std::snprintf(name, sizeof(name), "/%020llu.seg",
                static_cast<unsigned long long>(next_.sequence));
  Segment segment{folder_ + name, next_, kSegmentHeaderBytes};
  UniqueFd file(
      ::open(segment.path.c_str(), O_RDWR | O_CREAT | O_TRUNC | O_CLOEXEC | O_NOFOLLOW, 0600));
  if (!file) return fail_errno("create " + segment.path);
  AISPM_CHECK(write_at(file.get(), encode_segment_header(next_), 0));
  if (::fdatasync(file.get()) != 0) return fail_errno("fdatasync " + segment.path);
  const UniqueFd folder(::open(folder_.c_str(), O_RDONLY | O_DIRECTORY | O_CLOEXEC));
  if (!folder || ::fsync(folder.get()) != 0) return fail_errno("fsync " + folder_);
  active_ = std::move(file);
  active_bytes_ = kSegmentHeaderBytes;
  broken_ = false;
  active_is_damaged_ = false;
  const std::scoped_lock guard(mutex_);
  // A broken segment that holds no batch has the same first sequence; the new file has taken its
  // place.
  if (!segments_.empty() && segments_.back().start.sequence == segment.start.sequence)
    segments_.pop_back();
  segments_.push_back(std::move(segment));
  durable_bytes_ = kSegmentHeaderBytes;
  delete_acknowledged();
  return {};
}

// Caller holds the lock. True when `bytes` more stay within the cap.
bool Spool::make_room(std::uint64_t bytes) {
  std::uint64_t used = 0;
  for (const Segment& segment : segments_) used += segment.bytes;
  if (used + bytes + kSegmentHeaderBytes <= cap_bytes_) return true;
  // Only the last segment can still hold what is acknowledged; a new one lets it go.
  if (segments_.empty() || next_.sequence != acknowledged_ + 1) return false;
  broken_ = true;
  return bytes + kSegmentHeaderBytes <= cap_bytes_;
}

// Caller holds the lock. The last segment stays: it remembers where the history stands.
void Spool::delete_acknowledged() {
  while (segments_.size() > 1 && segments_[1].start.sequence <= acknowledged_ + 1) {
    if (::unlink(segments_.front().path.c_str()) != 0)
      log::warn("spool.delete_failed", {{"path", segments_.front().path}, {"errno", errno}});
    segments_.pop_front();
  }
}

void Spool::acknowledge(std::uint64_t sequence) {
  const std::scoped_lock guard(mutex_);
  acknowledged_ = std::max(acknowledged_, std::min(sequence, durable_.sequence - 1));
  delete_acknowledged();
}

}  // namespace aispm::report
