// SPDX-License-Identifier: Apache-2.0
#include "sensor/capture/mapping_events.hpp"

#include <linux/perf_event.h>
#include <sys/mman.h>
#include <sys/syscall.h>
#include <unistd.h>

#include <algorithm>
#include <atomic>
#include <cerrno>
#include <cstddef>
#include <cstdio>
#include <cstring>
#include <utility>

namespace aispm::sensor {
namespace {

constexpr std::size_t kRingBytes = 64U << 10;  // a CPU's; about 600 mappings
// A wake-up is an interrupt that the process which maps pays for, and each fork, exit and mapping
// of everybody would raise one: the reader looks by itself, and is woken only before the ring
// fills.
constexpr std::uint32_t kWakeBytes = kRingBytes / 4;

std::size_t page_bytes() { return static_cast<std::size_t>(::sysconf(_SC_PAGESIZE)); }

// The fixed part of PERF_RECORD_MMAP2 behind the header; the path follows.
struct Mmap2 {
  std::uint32_t pid, tid;
  std::uint64_t address, size, page_offset;
  std::uint32_t major, minor;
  std::uint64_t inode, inode_generation;
  std::uint32_t protection, flags;
};
// PERF_RECORD_FORK and _EXIT.
struct Task {
  std::uint32_t pid, parent_pid, tid, parent_tid;
  std::uint64_t time;
};
struct Lost {
  std::uint64_t id, count;
};

template <typename T>
bool copy_body(const std::string& record, T& body) {
  if (record.size() < sizeof(perf_event_header) + sizeof(T)) return false;
  std::memcpy(&body, record.data() + sizeof(perf_event_header), sizeof(T));
  return true;
}

bool read_mmap2(const std::string& record, const MappingEvents::Handlers& handlers) {
  Mmap2 body;
  if (!copy_body(record, body)) return false;
  std::string path = record.substr(sizeof(perf_event_header) + sizeof(body));
  path.resize(std::min(path.find('\0'), path.size()));
  if (body.inode == 0 || path.empty() || path.front() != '/') return true;  // [vdso], anonymous
  constexpr std::string_view kDeleted = " (deleted)";
  if (path.ends_with(kDeleted)) path.resize(path.size() - kDeleted.size());
  char range[40];
  std::snprintf(range, sizeof(range), "%llx-%llx", static_cast<unsigned long long>(body.address),
                static_cast<unsigned long long>(body.address + body.size));
  handlers.on_mapping({body.pid, range, std::uint64_t{body.major} << 32 | body.minor, body.inode,
                       body.inode_generation, std::move(path)});
  return true;
}

}  // namespace

bool read_mapping_record(const std::string& record, const MappingEvents::Handlers& handlers,
                         std::uint64_t& lost) {
  perf_event_header header;
  if (record.size() < sizeof(header)) return false;
  std::memcpy(&header, record.data(), sizeof(header));
  if (header.size != record.size()) return false;
  if (header.type == PERF_RECORD_MMAP2) return read_mmap2(record, handlers);
  if (header.type == PERF_RECORD_LOST) {
    Lost body;
    if (!copy_body(record, body)) return false;
    lost += body.count;
    return true;
  }
  if (header.type != PERF_RECORD_FORK && header.type != PERF_RECORD_EXIT) return true;
  Task body;
  if (!copy_body(record, body)) return false;
  if (body.pid != body.tid) return true;  // a thread
  if (header.type == PERF_RECORD_EXIT)
    handlers.on_exit(body.pid);
  else if (body.pid != body.parent_pid)
    handlers.on_fork(body.parent_pid, body.pid);
  return true;
}

void MappingEvents::Unmap::operator()(void* ring) const {
  ::munmap(ring, page_bytes() + kRingBytes);
}

Result<MappingEvents> MappingEvents::open() {
  MappingEvents events;
  perf_event_attr attributes{};
  attributes.type = PERF_TYPE_SOFTWARE;
  attributes.size = sizeof(attributes);
  attributes.config = PERF_COUNT_SW_DUMMY;
  attributes.mmap = 1;  // those with PROT_EXEC
  attributes.mmap2 = 1;
  attributes.watermark = 1;
  attributes.wakeup_watermark = kWakeBytes;
  const long cpus = ::sysconf(_SC_NPROCESSORS_CONF);
  for (int number = 0; number < cpus; ++number) {
    Cpu cpu;
    cpu.event.reset(static_cast<int>(
        ::syscall(SYS_perf_event_open, &attributes, -1, number, -1, PERF_FLAG_FD_CLOEXEC)));
    if (!cpu.event && errno == ENODEV)
      continue;  // offline; scans of /proc see what runs there later
    if (!cpu.event) return fail_errno("perf_event_open for mappings");
    void* ring = ::mmap(nullptr, page_bytes() + kRingBytes, PROT_READ | PROT_WRITE, MAP_SHARED,
                        cpu.event.get(), 0);
    if (ring == MAP_FAILED) return fail_errno("map a ring for mappings");
    cpu.ring.reset(ring);
    events.descriptors_.push_back(cpu.event.get());
    events.cpus_.push_back(std::move(cpu));
  }
  if (events.cpus_.empty()) return fail(Errc::kUnsupported, "perf_event_open: no CPU");
  return events;
}

void MappingEvents::drain(const Cpu& cpu, const Handlers& handlers) {
  auto* page = static_cast<perf_event_mmap_page*>(cpu.ring.get());
  const char* data = static_cast<const char*>(cpu.ring.get()) + page_bytes();
  const std::uint64_t head = std::atomic_ref(page->data_head).load(std::memory_order_acquire);
  std::uint64_t tail = page->data_tail;
  const auto copy = [&](std::size_t size) {
    std::string bytes(size, '\0');
    const std::size_t at = tail % kRingBytes;
    const std::size_t first = std::min(size, kRingBytes - at);
    std::memcpy(bytes.data(), data + at, first);
    std::memcpy(bytes.data() + first, data, size - first);
    return bytes;
  };
  while (tail + sizeof(perf_event_header) <= head) {
    perf_event_header header;
    std::memcpy(&header, copy(sizeof(header)).data(), sizeof(header));
    if (header.size < sizeof(header) || tail + header.size > head ||
        !read_mapping_record(copy(header.size), handlers, lost_)) {
      ++lost_;
      tail = head;
      break;
    }
    tail += header.size;
    std::atomic_ref(page->data_tail).store(tail, std::memory_order_release);
  }
  std::atomic_ref(page->data_tail).store(tail, std::memory_order_release);
}

void MappingEvents::drain(const Handlers& handlers) {
  for (const Cpu& cpu : cpus_) drain(cpu, handlers);
}

}  // namespace aispm::sensor
