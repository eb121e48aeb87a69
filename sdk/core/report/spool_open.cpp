// SPDX-License-Identifier: Apache-2.0
#include <dirent.h>
#include <fcntl.h>
#include <sys/file.h>

#include <algorithm>
#include <vector>

#include "sdk/core/common/c_ptr.hpp"
#include "sdk/core/common/file.hpp"
#include "sdk/core/common/id.hpp"
#include "sdk/core/common/log.hpp"
#include "sdk/core/report/spool.hpp"

namespace aispm::report {
namespace {

constexpr std::uint64_t kMinSegmentBytes = 16U << 10;
constexpr std::uint64_t kMaxSegmentBytes = 8U << 20;
// The largest file start_segment() and append() can make, rounded up.
constexpr std::size_t kMaxFileBytes = 16U << 20;
constexpr std::size_t kMaxProducerIdBytes = 64;
constexpr std::size_t kLossRecordBytes = 12;

using Directory = CPtr<DIR, closedir>;

Result<std::vector<std::string>> list_segments(const std::string& folder) {
  const Directory directory(::opendir(folder.c_str()));
  if (!directory) return fail_errno("open " + folder);
  std::vector<std::string> paths;
  while (const dirent* const entry = ::readdir(directory.get())) {
    const std::string name = entry->d_name;
    if (name.ends_with(".seg")) paths.push_back(folder + "/" + name);
  }
  // Names are sequence numbers of fixed width.
  std::sort(paths.begin(), paths.end());
  return paths;
}

}  // namespace

Spool::Spool(std::string folder, std::uint64_t cap_bytes)
    : folder_(std::move(folder)),
      cap_bytes_(cap_bytes),
      segment_bytes_(std::clamp(cap_bytes / 8, kMinSegmentBytes, kMaxSegmentBytes)) {}

Result<std::unique_ptr<Spool>> Spool::open(const std::string& folder, std::uint64_t cap_bytes) {
  if (cap_bytes < kMinCapBytes || cap_bytes > kMaxCapBytes)
    return fail(Errc::kInvalid, "spool cap: must be " + std::to_string(kMinCapBytes) + " to " +
                                    std::to_string(kMaxCapBytes) + " bytes");
  AISPM_CHECK(make_directories(folder, 0700));
  std::unique_ptr<Spool> spool(new Spool(folder, cap_bytes));
  AISPM_CHECK(spool->load());
  return spool;
}

Result<> Spool::load() {
  const std::string lock_path = folder_ + "/lock";
  lock_ = UniqueFd(::open(lock_path.c_str(), O_RDWR | O_CREAT | O_CLOEXEC | O_NOFOLLOW, 0600));
  if (!lock_) return fail_errno("open " + lock_path);
  if (::flock(lock_.get(), LOCK_EX | LOCK_NB) != 0)
    return fail(Errc::kExists,
                folder_ + ": in use by another process; give each its own state folder", errno);
  AISPM_CHECK(load_segments());
  AISPM_CHECK(load_losses());
  return load_producer_id();
}

Result<> Spool::load_segments() {
  AISPM_TRY(const std::vector<std::string> paths, list_segments(folder_));
  SegmentScan last;
  for (const std::string& path : paths) {
    AISPM_TRY(const std::string bytes, read_file(path, kMaxFileBytes));
    const auto scan = scan_segment(bytes);
    if (!scan || scan->start.sequence < last.end.sequence ||
        scan->start.events_before < last.end.events_before) {
      // The header is written and synced before any batch, so a bad one as the last file held
      // nothing.
      log::warn("spool.segment_unreadable", {{"path", path}, {"bytes", bytes.size()}});
      if (::unlink(path.c_str()) != 0) return fail_errno("delete " + path);
      continue;
    }
    // Batches missing between two files: the reader tells the collector, here they are only
    // counted.
    if (!segments_.empty()) stats_.lost_disk += scan->start.events_before - last.end.events_before;
    last = *scan;
    segments_.push_back({path, last.start, last.good_bytes});
  }
  if (segments_.empty()) return {};
  return cut_torn_tail(last);
}

Result<> Spool::cut_torn_tail(const SegmentScan& scan) {
  Segment& segment = segments_.back();
  active_ = UniqueFd(::open(segment.path.c_str(), O_RDWR | O_CLOEXEC | O_NOFOLLOW));
  if (!active_) return fail_errno("open " + segment.path);
  if (scan.bad_bytes > 0) {
    log::warn("spool.tail_cut",
              {{"path", segment.path}, {"bytes", scan.bad_bytes}, {"events", scan.torn_events}});
    if (::ftruncate(active_.get(), static_cast<off_t>(scan.good_bytes)) != 0 ||
        ::fdatasync(active_.get()) != 0)
      return fail_errno("cut " + segment.path);
    stats_.torn_bytes = scan.bad_bytes;
  }
  next_ = durable_ = scan.end;
  active_bytes_ = durable_bytes_ = scan.good_bytes;
  lost_total_ = next_.lost_before;
  damage_counted_ = next_.events_before;
  lose(&SpoolStats::lost_disk, scan.torn_events);
  return {};
}

Result<> Spool::load_losses() {
  const std::string path = folder_ + "/losses";
  losses_ = UniqueFd(::open(path.c_str(), O_RDWR | O_CREAT | O_CLOEXEC | O_NOFOLLOW, 0600));
  if (!losses_) return fail_errno("open " + path);
  AISPM_TRY(const std::string bytes, read_file(path, kMaxFileBytes));
  if (bytes.size() < kLossRecordBytes) return {};
  std::uint64_t fields[2] = {0, 0};
  for (std::size_t i = 0; i < kLossRecordBytes; ++i)
    fields[i / 8] |= static_cast<std::uint64_t>(static_cast<std::uint8_t>(bytes[i]))
                     << (8 * (i % 8));
  if (fields[1] != crc32(std::string_view(bytes).substr(0, 8))) {
    log::warn("spool.losses_unreadable", {{"path", path}});
    return {};
  }
  // The file counts up to the last sync; a torn tail found just now comes on top.
  const std::uint64_t torn = lost_total_ - next_.lost_before;
  lost_total_ = std::max(lost_total_, fields[0] + torn);
  return {};
}

Result<> Spool::load_producer_id() {
  const auto stored = read_file(folder_ + "/producer_id", kMaxProducerIdBytes);
  if (stored && !stored->empty() && !segments_.empty()) {
    producer_id_ = *stored;
    return {};
  }
  // Without its files the history starts again at 1, which under the old id would look like batches
  // known already.
  return make_producer_id();
}

Result<> Spool::make_producer_id() {
  const std::string made = make_uuid();
  AISPM_CHECK(write_file_atomically(folder_ + "/producer_id", made, 0600));
  const std::scoped_lock guard(mutex_);
  producer_id_ = made;
  return {};
}

}  // namespace aispm::report
