// SPDX-License-Identifier: Apache-2.0
#include "sandbox/supervise/freeze_link.hpp"

#include <sys/epoll.h>
#include <sys/socket.h>

namespace aispm::sandbox {

std::optional<FreezeWord> parse_freeze(std::string_view line) {
  const auto space = line.find(' ');
  const std::string_view word = line.substr(0, space);
  std::string reason(space == std::string_view::npos ? "" : line.substr(space + 1));
  if (word == "free") return FreezeWord{};
  if (word == "frozen") return FreezeWord{Freeze::kFrozen, std::move(reason)};
  if (word == "killed") return FreezeWord{Freeze::kKilled, std::move(reason)};
  return std::nullopt;
}

void FreezeLink::keep(Clock::time_point now) {
  if (now < due_) return;
  if (socket_) close();  // it fell silent: whoever listens there hears of no freeze any more
  due_ = now + kPause;
  auto socket = link_.begin("GET", "/aispm/v1/freeze");
  if (!socket) return;  // the gateway is away: so are the agent's ways out
  socket_ = std::move(*socket);
  line_.clear();
  is_head_over_ = false;
  if (!loop_.add(socket_.get(), EPOLLIN, [this](std::uint32_t) { read(); })) return socket_.reset();
  due_ = now + kSilence;
}

void FreezeLink::read() {
  char buffer[2048];
  for (;;) {
    const ssize_t size = ::recv(socket_.get(), buffer, sizeof(buffer), MSG_DONTWAIT);
    if (size < 0 && errno == EINTR) continue;
    if (size < 0 && errno == EAGAIN) return;
    if (size <= 0) return close();
    due_ = Clock::now() + kSilence;
    take({buffer, static_cast<std::size_t>(size)});
    if (!socket_) return;
  }
}

// Lines of the head until an empty one, then words.
void FreezeLink::take(std::string_view bytes) {
  for (const char c : bytes) {
    if (c != '\n') {
      line_ += c;
      if (line_.size() > kMaxLineBytes) return close();
      continue;
    }
    if (!line_.empty() && line_.back() == '\r') line_.pop_back();
    if (is_head_over_) {
      if (const auto word = parse_freeze(line_)) hear_(*word);
    } else {
      is_head_over_ = line_.empty();
    }
    line_.clear();
  }
}

void FreezeLink::close() {
  if (!socket_) return;
  loop_.remove(socket_.get());
  socket_.reset();
  due_ = Clock::now() + kPause;
}

}  // namespace aispm::sandbox
