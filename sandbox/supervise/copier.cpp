// SPDX-License-Identifier: Apache-2.0
#include "sandbox/supervise/copier.hpp"

#include <fcntl.h>
#include <poll.h>
#include <sys/epoll.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <array>

namespace aispm::sandbox {
namespace {
// What a pipe with room takes without blocking (PIPE_BUF), and what a terminal does.
constexpr std::size_t kGuardedBytes = 4096;
constexpr std::size_t kGuardedTerminalBytes = 128;
}  // namespace

UniqueFd reopen(int fd, int flags) {
  const std::string path = "/proc/self/fd/" + std::to_string(fd);
  return UniqueFd(::open(path.c_str(), flags | O_NOCTTY | O_CLOEXEC));
}

void Sink::examine() {
  struct stat status {};
  kind_ = Kind::kPlain;
  if (::fstat(fd_, &status) != 0) return;
  if (S_ISSOCK(status.st_mode)) {
    kind_ = Kind::kSocket;
  } else if ((::fcntl(fd_, F_GETFL) & O_NONBLOCK) != 0) {
    kind_ = Kind::kNonBlocking;
  } else if (S_ISFIFO(status.st_mode) || ::isatty(fd_) != 0) {
    own_ = reopen(fd_, O_WRONLY | O_NONBLOCK);
    kind_ = own_ ? Kind::kNonBlocking : Kind::kGuarded;
  }
}

ssize_t Sink::write(std::string_view bytes) {
  if (kind_ == Kind::kUnknown) examine();
  ssize_t size = 0;
  do {
    switch (kind_) {
      case Kind::kSocket:
        size = ::send(fd_, bytes.data(), bytes.size(), MSG_DONTWAIT | MSG_NOSIGNAL);
        break;
      case Kind::kGuarded: {
        pollfd ready{fd_, POLLOUT, 0};
        if (::poll(&ready, 1, 0) == 0) {
          errno = EAGAIN;
          return -1;
        }
        const std::size_t most = ::isatty(fd_) != 0 ? kGuardedTerminalBytes : kGuardedBytes;
        size = ::write(fd_, bytes.data(), std::min(bytes.size(), most));
        break;
      }
      default:
        size = ::write(fd(), bytes.data(), bytes.size());
    }
  } while (size < 0 && errno == EINTR);
  return size;
}

Copier::Copier(EventLoop& loop, UniqueFd from, int to, Inspect inspect)
    : loop_(loop), from_(std::move(from)), to_(to), inspect_(std::move(inspect)) {}

Copier::~Copier() { close(); }

Result<> Copier::start() {
  AISPM_CHECK(watch_source());
  // Without interest in anything the kernel still tells that the receiver went away. A file cannot
  // be watched, and never goes away.
  if (auto added = loop_.add(to_.fd(), 0, [this](std::uint32_t) { on_sink(); }))
    watched_sink_ = to_.fd();
  return {};
}

Result<> Copier::watch_source() {
  AISPM_CHECK(loop_.add(from_.get(), EPOLLIN, [this](std::uint32_t) {
    (void)read_some();
    watch();
  }));
  is_reading_ = true;
  return {};
}

void Copier::on_sink() {
  pollfd state{to_.fd(), POLLOUT, 0};
  if (::poll(&state, 1, 0) > 0 && (state.revents & (POLLERR | POLLHUP)) != 0) {
    lose_sink(EPIPE);
    return;
  }
  write_some();
  watch();
}

bool Copier::read_some() {
  if (!from_ || is_ended_ || !pending_.empty()) return false;
  std::array<char, kBufferBytes> buffer;  // NOLINT: filled by read
  const ssize_t size = ::read(from_.get(), buffer.data(), buffer.size());
  if (size < 0 && (errno == EAGAIN || errno == EINTR)) return false;
  if (size <= 0) {  // EIO: nobody has the terminal's other side open
    is_ended_ = true;
    return false;
  }
  const std::string_view bytes(buffer.data(), static_cast<std::size_t>(size));
  const std::size_t passing = inspect_ ? inspect_(bytes) : bytes.size();
  pending_.assign(bytes.substr(0, passing));
  written_ = 0;
  write_some();
  return true;
}

void Copier::write_some() {
  while (written_ < pending_.size()) {
    const ssize_t size = to_.write(std::string_view(pending_).substr(written_));
    if (size < 0) {
      if (errno != EAGAIN) lose_sink(errno);
      return;
    }
    written_ += static_cast<std::size_t>(size);
  }
  pending_.clear();
}

void Copier::lose_sink(int error) {
  const bool is_gone = error == EPIPE || error == ECONNRESET || (error == EIO && !to_.is_file());
  if (!is_gone) write_error_ = error;
  close();
}

// Asks for what can go on: reading while nothing is pending, writing while something is.
void Copier::watch() {
  if (from_ && is_ended_ && pending_.empty()) return close();
  if (!from_) return;
  const bool wants_read = !is_paused_ && !is_ended_ && pending_.empty();
  if (wants_read && !is_reading_) {
    if (auto watched = watch_source(); !watched) return lose_sink(watched.error().system_errno);
  } else if (!wants_read && is_reading_) {
    loop_.remove(from_.get());  // not a mask of 0: the sender's end would be told again and again
    is_reading_ = false;
  }
  // The sink may be another descriptor since the first write.
  if (watched_sink_ >= 0 && watched_sink_ != to_.fd()) {
    loop_.remove(watched_sink_);
    watched_sink_ = -1;
    if (loop_.add(to_.fd(), 0, [this](std::uint32_t) { on_sink(); })) watched_sink_ = to_.fd();
  }
  if (watched_sink_ >= 0)
    loop_.change(watched_sink_, pending_.empty() ? 0U : static_cast<std::uint32_t>(EPOLLOUT));
}

void Copier::pause(bool is_paused) {
  is_paused_ = is_paused;
  watch();
}

bool Copier::drain() {
  if (!from_) return true;
  if (!pending_.empty()) write_some();
  while (from_ && pending_.empty() && read_some()) {
  }
  watch();
  return !from_ || pending_.empty();
}

void Copier::close() {
  if (watched_sink_ >= 0) loop_.remove(watched_sink_);
  watched_sink_ = -1;
  if (from_) loop_.remove(from_.get());
  from_.reset();
  pending_.clear();
  written_ = 0;
}

}  // namespace aispm::sandbox
