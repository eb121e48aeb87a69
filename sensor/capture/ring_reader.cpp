// SPDX-License-Identifier: Apache-2.0
#include "sensor/capture/ring_reader.hpp"

#include <bpf/libbpf.h>
#include <poll.h>
#include <sys/epoll.h>
#include <sys/eventfd.h>

#include <algorithm>
#include <array>
#include <cerrno>
#include <cstdint>

namespace aispm::sensor {
namespace {

// Between two looks while there is traffic: 32 MiB of ring is then enough for 6 GiB/s.
constexpr std::chrono::milliseconds kLookInterval{5};
constexpr int kIdleRoundsBeforeSleep = 4;
constexpr int kEnough = -ECANCELED;  // stops ring_buffer__consume after the record just taken

Result<> add_to(int epoll, int fd) {
  epoll_event event{.events = EPOLLIN, .data = {.fd = fd}};
  if (::epoll_ctl(epoll, EPOLL_CTL_ADD, fd, &event) != 0) return fail_errno("watch a ring");
  return {};
}

}  // namespace

Result<RingReader> RingReader::open(SharedMaps& maps) {
  RingReader reader;
  reader.maps_ = &maps;
  reader.drain_ = std::make_unique<Drain>();
  reader.control_.reset(
      ::ring_buffer__new(maps.ring(Ring::kControl), take, reader.drain_.get(), nullptr));
  if (!reader.control_) return fail_errno("open the control ring");
  reader.data_.reset(
      ::ring_buffer__new(maps.ring(Ring::kData), take, reader.drain_.get(), nullptr));
  if (!reader.data_) return fail_errno("open the data ring");
  reader.wake_.reset(::eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK));
  if (!reader.wake_) return fail_errno("eventfd");
  reader.epoll_.reset(::epoll_create1(EPOLL_CLOEXEC));
  if (!reader.epoll_) return fail_errno("epoll_create1");
  AISPM_CHECK(add_to(reader.epoll_.get(), reader.wake_.get()));
  // The rings themselves: readiness is level-triggered and costs their writers a wake-up only when
  // we asked for it.
  AISPM_CHECK(add_to(reader.epoll_.get(), maps.ring(Ring::kControl)));
  AISPM_CHECK(add_to(reader.epoll_.get(), maps.ring(Ring::kData)));
  return reader;
}

Result<> RingReader::pause(std::chrono::milliseconds longest) {
  pollfd waked{.fd = wake_.get(), .events = POLLIN, .revents = 0};
  if (::poll(&waked, 1, static_cast<int>(longest.count())) < 0 && errno != EINTR)
    return fail_errno("poll");
  return {};
}

Result<> RingReader::sleep(std::chrono::milliseconds longest) {
  // Announced before looking: a record that comes in between wakes us or is found by epoll.
  maps_->announce_sleep(Ring::kControl);
  maps_->announce_sleep(Ring::kData);
  std::array<epoll_event, 4> events;
  const int count =
      ::epoll_wait(epoll_.get(), events.data(), events.size(), static_cast<int>(longest.count()));
  if (count < 0 && errno != EINTR) return fail_errno("epoll_wait");
  return {};
}

Result<> RingReader::wait(std::chrono::milliseconds longest) {
  if (idle_rounds_ < kIdleRoundsBeforeSleep) {
    ++idle_rounds_;
    AISPM_CHECK(pause(std::min(longest, kLookInterval)));
  } else {
    AISPM_CHECK(sleep(longest));
  }
  std::uint64_t wakes = 0;
  if (::read(wake_.get(), &wakes, sizeof(wakes)) < 0 && errno != EAGAIN && errno != EINTR)
    return fail_errno("read the wake-up");
  return {};
}

int RingReader::take(void* context, void* data, std::size_t size) {
  auto& drain = *static_cast<Drain*>(context);
  ++drain.count;
  (*drain.on_record)(std::span(static_cast<const std::byte*>(data), size));
  return --drain.left > 0 ? 0 : kEnough;
}

Result<std::size_t> RingReader::drain(Ring ring, std::size_t limit_records,
                                      const OnRecord& on_record) {
  *drain_ = Drain{&on_record, limit_records, 0};
  const int result = ::ring_buffer__consume(ring == Ring::kControl ? control_.get() : data_.get());
  if (result < 0 && result != kEnough) return fail_errno("read a ring", -result);
  if (drain_->count > 0) idle_rounds_ = 0;
  return drain_->count;
}

Result<> RingReader::watch(int fd) { return add_to(epoll_.get(), fd); }

void RingReader::wake() const {
  const std::uint64_t one = 1;
  // Only a full counter can refuse, and then a wake-up is pending already.
  if (::write(wake_.get(), &one, sizeof(one)) < 0) return;
}

}  // namespace aispm::sensor
